import { describe, expect, it } from 'vitest';
import { make, request } from './admission.spec-kit.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import type { Acquired } from './lease.js';
import { ScriptedTransport, settled } from './scripted.spec-kit.js';

const never = new Promise<never>(() => undefined);

describe('a port that does not answer', () => {
  it('makes admissions unavailable within the deadline, and frees their turns', async () => {
    const { admission, accounts, clock, leases, connect } = await make({
      admissionsAtOnce: 2,
      admissionsWaiting: 100,
    });
    accounts.gate = never;
    const asked = Array.from({ length: 20 }, (_, index) =>
      admission.admit(request({ credential: `t${index}` }), new AbortController().signal),
    );
    await clock.advanceAsync(5001);
    // Those in their turn were given up, and those behind them have waited too long: nobody waits longer than twice.
    const answers = await Promise.all(asked);
    expect(answers.map((one) => (one.outcome === 'refused' ? one.refusal.reason : one.outcome))).toEqual(
      Array.from({ length: 20 }, () => 'unavailable'),
    );
    for (const answer of answers) {
      if (answer.outcome === 'refused') expect(answer.refusal.retryAfterMs).toBeGreaterThan(0);
    }
    accounts.gate = Promise.resolve();
    expect((await connect({ credential: 'other' })).transport?.ended).toBeUndefined();
    expect(leases.count()).toBe(1);
  });

  it('refuses a stream whose rights cannot be read again, and releases its lease', async () => {
    const { admission, streams, accounts, clock, leases, publisher } = await make();
    const gone = new AbortController();
    const admitted = await admission.admit(request(), gone.signal);
    if (admitted.outcome !== 'admitted') throw new Error('it is not admitted');
    await publisher.publish({
      type: 'UserMembershipChanged',
      message: { change_type: 2, user_id: 'u', organization_id: 'o' },
    });
    await settled();
    accounts.gate = never;
    const opening = streams.open(admitted, new ScriptedTransport(), gone.signal);
    await clock.advanceAsync(5000);
    expect(await opening).toMatchObject({ refusal: { reason: 'unavailable' } });
    expect(leases.count()).toBe(0);
  });

  it('releases a lease that a slow lease store grants when nobody waits for it any more', async () => {
    class SlowLeases extends MemoryLeaseStore {
      gate: Promise<void> = Promise.resolve();
      override async acquire(...asked: Parameters<MemoryLeaseStore['acquire']>): Promise<Acquired> {
        await this.gate;
        return super.acquire(...asked);
      }
    }
    const slow = new SlowLeases();
    const { admission, clock } = await make({ leases: slow });
    let answer: () => void = () => undefined;
    slow.gate = new Promise((resolve) => (answer = resolve));
    const asked = admission.admit(request(), new AbortController().signal);
    await clock.advanceAsync(5000);
    expect(await asked).toMatchObject({ refusal: { reason: 'unavailable' } });
    slow.gate = Promise.resolve();
    answer();
    await settled();
    expect(slow.count()).toBe(0);
  });

  it('does not keep a stream from ending when its lease cannot be released', async () => {
    class StuckLeases extends MemoryLeaseStore {
      override release(): Promise<void> {
        return never;
      }
    }
    const { connect, clock, errors, hub } = await make({ leases: new StuckLeases() });
    const { transport } = await connect();
    transport?.close();
    await clock.advanceAsync(5000);
    await settled();
    expect(hub.indexed).toBe(0);
    expect(errors).toEqual(['releasing a lease']);
  });

  it('does not stop reauthorization: who turns out to be revoked later is found by a later round', async () => {
    const { connect, accounts, reauthorization, clock, errors } = await make();
    const { transport } = await connect();
    reauthorization.loop.start();
    accounts.gate = never;
    await clock.advanceAsync(60_000);
    await settled();
    expect(transport?.ended).toBeUndefined();
    expect(errors).toContain('running reauthorization');
    expect(reauthorization.loop.age).toBeGreaterThan(50);
    accounts.gate = Promise.resolve();
    accounts.isRevoked = true;
    await clock.advanceAsync(30_000);
    await settled();
    expect(transport?.ended).toBe('unauthorized');
    expect(reauthorization.loop.age).toBeLessThan(31);
  });

  it('holds the log up once, not for each membership', async () => {
    const { connect, accounts, publisher, clock } = await make();
    const { transport } = await connect();
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const changing = await Promise.all(names.map((name) => connect({ credential: `of ${name}` })));
    accounts.gate = never;
    const join = (user_id: string, organization_id: string) =>
      publisher.publish({
        type: 'UserMembershipChanged',
        message: { change_type: 0, user_id, organization_id },
      });
    for (const name of names) await join(name, 'p');
    await publisher.publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } });
    await clock.advanceAsync(2500);
    await settled();
    expect(transport?.types.at(-1)).toBe('SystemNotification');
    expect(new Set(changing.map((one) => one.transport?.ended))).toEqual(new Set(['unconfirmed']));
    // Once that is over, memberships are confirmed at once again.
    accounts.gate = Promise.resolve();
    accounts.organizations.add('p');
    await clock.advanceAsync(10_000);
    await join('u', 'p');
    await publisher.publish({ type: 'PlanOverage', message: { organization_id: 'p', is_hourly: false } });
    await settled();
    await settled();
    expect(transport?.types.slice(-2)).toEqual(['UserMembershipChanged', 'PlanOverage']);
  });

  it('is asked first about those of whom it has said nothing for the longest', async () => {
    const { connect, accounts, reauthorization, clock } = await make({ limit: 2000 });
    const order: string[] = [];
    let fails = false;
    accounts.onReauthorize = (principals) => {
      order.push(principals[0]?.tokenId ?? '');
      if (fails) throw new Error('away');
    };
    await clock.advanceAsync(1000);
    for (let index = 0; index < 500; index += 1) await connect({ credential: 'early' });
    await clock.advanceAsync(1000);
    for (let index = 0; index < 500; index += 1) await connect({ credential: 'late' });
    await reauthorization.round();
    await clock.advanceAsync(1000);
    fails = true;
    await expect(reauthorization.round()).rejects.toThrow('away');
    expect(order).toEqual(['early', 'late', 'early', 'late']);
  });
});
