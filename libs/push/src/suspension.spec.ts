import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { make, request } from './admission.spec-kit.js';
import { Connection } from './connection.js';
import { LoggedFrame } from './frame.js';
import { Hub } from './hub.js';
import {
  envelopeOf,
  ScriptedTransport,
  connectionParts,
  settled,
  testEnvironment,
} from './scripted.spec-kit.js';
import { Suspension } from './suspension.js';
import { VirtualClock } from './testing/virtual-clock.js';

const never = new Promise<never>(() => undefined);
const announce = (text: string) =>
  ({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: text } }) as const;
const textsOf = (transport: ScriptedTransport | undefined): string[] =>
  (transport?.frames ?? []).flatMap((frame) =>
    frame instanceof LoggedFrame ? [(envelopeOf(frame)?.message as { message: string }).message] : [],
  );

async function started(options: Parameters<typeof make>[0] = {}) {
  const made = await make({ limit: 1000, ...options });
  for (const { loop } of [made.reauthorization, made.suspension, made.keepAlive]) loop.start();
  return made;
}

describe('a stream whose rights nobody confirms', () => {
  it('goes on through a shorter outage, and is handed nothing from the limit on', async () => {
    const { connect, accounts, publisher, clock } = await started();
    const { transport } = await connect();
    await clock.advanceAsync(30_000);
    accounts.gate = never;
    await clock.advanceAsync(119_000);
    await publisher.publish(announce('before'));
    await settled();
    expect(textsOf(transport)).toEqual(['before']);
    expect(transport?.ended).toBeUndefined();
    await clock.advanceAsync(1100);
    const { length } = transport?.written ?? [];
    await publisher.publish(announce('after'));
    await clock.advanceAsync(20_000);
    // Not even a keep-alive, which would move its position on.
    if (transport?.ended === undefined) expect(transport?.written).toHaveLength(length ?? 0);
    expect(textsOf(transport)).toEqual(['before']);
    await clock.advanceAsync(12_000);
    expect(transport?.ended).toBe('unconfirmed');
  });

  it('comes back with its cursor and misses nothing', async () => {
    const { connect, accounts, publisher, clock, leases } = await started();
    const { transport } = await connect();
    await publisher.publish(announce('one'));
    await settled();
    accounts.gate = never;
    await clock.advanceAsync(121_500);
    await publisher.publish(announce('two'));
    await clock.advanceAsync(32_000);
    expect(transport?.ended).toBe('unconfirmed');
    await publisher.publish(announce('three'));
    expect((await connectNow(connect, clock)).admitted).toMatchObject({ refusal: { reason: 'unavailable' } });
    accounts.gate = Promise.resolve();
    await clock.advanceAsync(20_000);
    const cursor = transport?.frames.at(-1)?.id;
    const next = await connect({ cursor });
    await settled();
    expect(textsOf(next.transport)).toEqual(['two', 'three']);
    expect(next.transport?.types).toEqual(['Connected', 'SystemNotification', 'SystemNotification']);
    next.transport?.close();
    await settled();
    expect(leases.count()).toBe(0);
  });

  it('is not told what waited for its socket when the limit came, and gets it next time', async () => {
    const { connect, accounts, publisher, clock } = await started();
    const { transport } = await connect();
    await settled();
    if (transport !== undefined) transport.writable = false;
    await publisher.publish(announce('waits'));
    accounts.gate = never;
    await clock.advanceAsync(121_000);
    transport?.drain();
    await settled();
    await clock.advanceAsync(31_000);
    expect(textsOf(transport)).toEqual([]);
    expect(transport?.ended).toBe('unconfirmed');
    accounts.gate = Promise.resolve();
    await clock.advanceAsync(20_000);
    const next = await connect({ cursor: transport?.frames.at(-1)?.id });
    await settled();
    expect(textsOf(next.transport)).toEqual(['waits']);
  });

  it('ends even if the authenticator answers again before it has ended', async () => {
    const { connect, accounts, clock, reauthorization } = await started();
    const all = await Promise.all(Array.from({ length: 50 }, () => connect()));
    accounts.gate = never;
    await clock.advanceAsync(121_500);
    accounts.gate = Promise.resolve();
    await reauthorization.round();
    await clock.advanceAsync(32_000);
    expect(new Set(all.map(({ transport }) => transport?.ended))).toEqual(new Set(['unconfirmed']));
  });

  it('ends at once as revoked, told so and nothing else, when that turns out', async () => {
    const { connect, accounts, clock, reauthorization, publisher } = await started();
    const { transport } = await connect();
    await settled();
    accounts.gate = never;
    await clock.advanceAsync(119_500);
    if (transport !== undefined) transport.writable = false;
    await publisher.publish(announce('waits'));
    await clock.advanceAsync(1000);
    if (transport !== undefined) transport.writable = true;
    accounts.gate = Promise.resolve();
    accounts.isRevoked = true;
    if (transport?.ended === undefined) {
      await reauthorization.round();
      expect(transport?.ended).toBe('unauthorized');
      expect(transport?.types).toEqual(['Connected', 'Revoked']);
    }
  });

  it('of a token that ends by itself ends with it, whoever answers', async () => {
    const { accounts, clock, admission, streams } = await started();
    const authenticate = accounts.authenticate.bind(accounts);
    accounts.authenticate = async (credential) => {
      const read = await authenticate(credential);
      return read.outcome === 'authenticated'
        ? { ...read, principal: { ...read.principal, expiresAt: clock.now() + 40_000 } }
        : read;
    };
    const gone = new AbortController();
    const admitted = await admission.admit(request(), gone.signal);
    if (admitted.outcome !== 'admitted') throw new Error('it is not admitted');
    const transport = new ScriptedTransport();
    await streams.open(admitted, transport, gone.signal);
    accounts.gate = never;
    await clock.advanceAsync(100_000);
    expect(transport.ended).toBe('unauthorized');
  });

  it('stays for ever where the limit is 0, and a step of the wall clock does not matter', async () => {
    const forever = await started({ unconfirmedSeconds: 0 });
    const { transport } = await forever.connect();
    forever.accounts.gate = never;
    await forever.clock.advanceAsync(1_000_000);
    expect(transport?.ended).toBeUndefined();

    const stepped = await started();
    const other = await stepped.connect();
    for (const step of [3_600_000, -7_200_000, 600_000]) {
      stepped.clock.stepWall(step);
      await stepped.clock.advanceAsync(31_000);
    }
    expect(other.transport?.ended).toBeUndefined();
  });

  it('is one of many that end spread over one interval, each of them before it is over', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 1, max: 200 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (spread, times, streams, chances) => {
          const hub = new Hub();
          const clock = new VirtualClock();
          const random = () => chances.next().value as number;
          const suspension = new Suspension(hub, spread * times, spread, testEnvironment({ clock, random }));
          for (let id = 0; id < streams; id += 1) {
            const { init, parts } = connectionParts({
              id: String(id),
              transport: new ScriptedTransport(),
              onClose: (one) => hub.remove(one),
            });
            hub.add(new Connection(init, parts));
          }
          suspension.loop.start();
          clock.advance(spread * times * 1000 - 1);
          expect(hub.size).toBe(streams);
          clock.advance(spread * 1000 + 1001);
          expect(hub.size).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('does not end at the same moment as all others', async () => {
    const { connect, accounts, clock, hub } = await started();
    for (let index = 0; index < 300; index += 1) await connect();
    accounts.gate = never;
    await clock.advanceAsync(120_900);
    const left: number[] = [];
    for (let third = 0; third < 3; third += 1) {
      await clock.advanceAsync(10_000);
      left.push(hub.size);
    }
    expect(left[0]).toBeGreaterThan(150);
    expect(left[0]).toBeLessThan(250);
    expect(left[1]).toBeGreaterThan(50);
    expect(left[1]).toBeLessThan(150);
    await clock.advanceAsync(2000);
    expect(hub.size).toBe(0);
  });
});

/** Whoever asks now is answered when the deadline of the question is over. */
async function connectNow(
  connect: Awaited<ReturnType<typeof make>>['connect'],
  clock: VirtualClock,
): ReturnType<Awaited<ReturnType<typeof make>>['connect']> {
  const connecting = connect({ credential: 'another' });
  await clock.advanceAsync(5000);
  return connecting;
}
