import { describe, expect, it } from 'vitest';
import { DeadlineError, withDeadline } from './deadline.js';
import { VirtualClock } from './testing/virtual-clock.js';

describe('a deadline', () => {
  it('hands on what comes in time, an error too', async () => {
    const clock = new VirtualClock();
    expect(await withDeadline(clock, 100, 'it', Promise.resolve(7))).toBe(7);
    await expect(withDeadline(clock, 100, 'it', Promise.reject(new Error('refused')))).rejects.toThrow(
      'refused',
    );
  });

  it('says who did not answer, and within what time', async () => {
    const clock = new VirtualClock();
    const asked = withDeadline(clock, 5000, 'the authenticator', new Promise<never>(() => undefined));
    const failed = expect(asked).rejects.toThrow(new DeadlineError('the authenticator', 5000));
    await clock.advanceAsync(5000);
    await failed;
    await expect(asked).rejects.toThrow('the authenticator did not answer within 5000 ms');
  });

  it('is not moved by a step of the wall clock', async () => {
    const clock = new VirtualClock(1_000_000);
    let outcome = 'waits';
    withDeadline(clock, 100, 'it', new Promise<never>(() => undefined)).catch(() => (outcome = 'late'));
    clock.stepWall(-600_000);
    await clock.advanceAsync(99);
    expect(outcome).toBe('waits');
    await clock.advanceAsync(1);
    await clock.advanceAsync(0);
    expect(outcome).toBe('late');
  });

  it('drops an error that comes too late', async () => {
    const clock = new VirtualClock();
    let fail: (error: Error) => void = () => undefined;
    const asked = withDeadline(clock, 100, 'it', new Promise<never>((_, reject) => (fail = reject)));
    const late = expect(asked).rejects.toBeInstanceOf(DeadlineError);
    await clock.advanceAsync(100);
    await late;
    // An unhandled rejection would fail the run.
    fail(new Error('too late'));
    await clock.advanceAsync(0);
  });
});
