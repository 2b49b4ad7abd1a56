import { expect, it } from 'vitest';
import { make } from './admission.spec-kit.js';
import { GoodCredentials } from './good-credentials.js';
import { VirtualClock } from './testing/virtual-clock.js';

it('are remembered for a day after they were last good, and forgotten when they turn out to be bad', () => {
  const clock = new VirtualClock();
  const good = new GoodCredentials(clock);
  good.add('a');
  good.add('b');
  clock.stepWall(-600_000);
  clock.advance(23 * 3_600_000);
  expect([good.has('a'), good.has('b'), good.has('c')]).toEqual([true, true, false]);
  good.add('b');
  good.delete('a');
  clock.advance(2 * 3_600_000);
  expect([good.has('a'), good.has('b')]).toEqual([false, true]);
});

it('are bounded: the one that was used longest ago is forgotten first', () => {
  const good = new GoodCredentials(new VirtualClock(), 3);
  for (const one of ['a', 'b', 'c', 'a', 'd']) good.add(one);
  expect([good.has('a'), good.has('b'), good.size]).toEqual([true, false, 3]);
});

it('pass when their address has sent too many bad ones; others wait, and one that is bad by now passes no more', async () => {
  const { connect, accounts, errors } = await make({ failuresPerMinute: 5, limit: 100 });
  expect((await connect({ credential: 'good' })).transport).toBeDefined();
  expect((await connect({ credential: 'soon bad' })).transport).toBeDefined();
  accounts.isRevoked = true;
  for (let time = 0; time < 5; time += 1) await connect({ credential: `bad ${time}` });
  const { asked } = accounts;
  expect((await connect({ credential: 'soon bad' })).admitted).toMatchObject({
    refusal: { reason: 'unauthorized' },
  });
  expect((await connect({ credential: 'soon bad' })).admitted).toMatchObject({
    refusal: { reason: 'limit' },
  });
  expect((await connect({ credential: 'not seen' })).admitted).toMatchObject({
    refusal: { reason: 'limit' },
  });
  expect(accounts.asked).toBe(asked + 1);
  accounts.isRevoked = false;
  for (const transport of ['sse', 'websocket'] as const) {
    expect((await connect({ credential: 'good', transport })).transport).toBeDefined();
  }
  // From another address, nobody waits.
  expect((await connect({ credential: 'not seen', address: '192.0.2.2' })).transport).toBeDefined();
  expect(errors).toEqual([]);
});
