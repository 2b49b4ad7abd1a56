import { describe, expect, it } from 'vitest';
import { make } from './admission.spec-kit.js';
import { Budgets } from './budgets.js';
import { memoryLimiter } from './memory/limiter.js';
import { settled } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

const TEN_MINUTES = 600_000;
const NOW = Date.UTC(2026, 0, 1);
const limits = {
  limiter: memoryLimiter,
  connectsPerMinute: 2,
  failuresPerMinute: 2,
  admissionsAtOnce: 1,
  admissionsWaiting: 1,
};

const eventChanged = (project: string) =>
  ({
    type: 'PersistentEventChanged',
    message: {
      type: 'PersistentEvent',
      organization_id: 'o',
      project_id: project,
      stack_id: 's',
      change_type: 0,
      data: {},
    },
  }) as const;

/** What a step back of ten minutes used to stop: everything that is measured goes on as if nothing had happened. */
describe.each([
  ['back', -TEN_MINUTES],
  ['forward', TEN_MINUTES],
])('when the wall clock steps %s', (_title, step) => {
  it('keep-alives and conflated messages go on', async () => {
    const { connect, publisher, clock, keepAlive } = await make();
    keepAlive.loop.start();
    const { transport } = await connect();
    await settled();
    await publisher.publish(eventChanged('p'));
    await publisher.publish(eventChanged('p'));
    clock.stepWall(step);
    await clock.advanceAsync(300);
    await settled();
    expect(transport?.types).toEqual(['Connected', 'PersistentEventChanged', 'PersistentEventChanged']);
    const before = transport?.keepAlives.length ?? 0;
    await clock.advanceAsync(60_000);
    expect((transport?.keepAlives.length ?? 0) - before).toBe(4);
    clock.stepWall(-step);
    await publisher.publish(eventChanged('q'));
    await publisher.publish(eventChanged('q'));
    await clock.advanceAsync(300);
    await settled();
    expect(transport?.types).toHaveLength(5);
  });

  it('a refusal that names a time ends when that time is over', async () => {
    const clock = new VirtualClock(NOW);
    const budgets = new Budgets(limits, clock);
    budgets.remember('t', { reason: 'limit', detail: 'wait', retryAfterMs: 5000 });
    clock.stepWall(step);
    await clock.advanceAsync(4000);
    expect(budgets.refusalOf('t')?.retryAfterMs).toBe(1000);
    await clock.advanceAsync(1000);
    expect(budgets.refusalOf('t')).toBeUndefined();
  });
});

it('tells nobody to wait for longer than the minute, when the machine sets its clock back', async () => {
  const { now } = Date;
  const budgets = new Budgets(limits, new VirtualClock(NOW));
  try {
    for (let time = 0; time < 3; time += 1) {
      await budgets.countConnect('o');
      await budgets.countFailure('192.0.2.1');
    }
    Date.now = () => now() - TEN_MINUTES;
    for (const wait of [await budgets.countConnect('o'), await budgets.failuresOf('192.0.2.1')]) {
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60_000);
    }
  } finally {
    Date.now = now;
  }
});
