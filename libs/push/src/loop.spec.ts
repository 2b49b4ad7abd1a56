import { describe, expect, it } from 'vitest';
import { Loop } from './loop.js';
import { VirtualClock } from './testing/virtual-clock.js';

function make(round: (signal: AbortSignal) => void | Promise<void>) {
  const clock = new VirtualClock(1_000_000_000);
  const errors: string[] = [];
  const loop = new Loop(
    {
      name: 'housekeeping',
      intervalMs: 1000,
      deadlineMs: 5000,
      clock,
      onError: (error, doing) => errors.push(`${doing}: ${(error as Error).message}`),
    },
    round,
  );
  return { clock, errors, loop };
}

describe('a loop', () => {
  it('begins its rounds an interval apart, until it is stopped', async () => {
    let rounds = 0;
    const { clock, loop } = make(() => void (rounds += 1));
    loop.start();
    loop.start();
    clock.advance(3500);
    expect(rounds).toBe(3);
    loop.stop();
    clock.advance(3500);
    expect(rounds).toBe(3);
  });

  it('goes on after a round that fails, at once or later', async () => {
    let rounds = 0;
    const { clock, errors, loop } = make(async () => {
      rounds += 1;
      if (rounds === 2) throw new Error('refused');
    });
    loop.start();
    await clock.advanceAsync(3000);
    expect(rounds).toBe(3);
    expect(errors).toEqual(['running housekeeping: refused']);

    const other = make(() => {
      throw new Error('at once');
    });
    other.loop.start();
    other.clock.advance(2000);
    expect(other.errors).toHaveLength(2);
  });

  it('gives up a round that hangs, tells it, and begins the next', async () => {
    const signals: AbortSignal[] = [];
    const { clock, errors, loop } = make((signal) => {
      signals.push(signal);
      return new Promise(() => undefined);
    });
    loop.start();
    await clock.advanceAsync(6000);
    await clock.advanceAsync(0);
    expect(errors).toEqual(['running housekeeping: a round of housekeeping did not answer within 5000 ms']);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await clock.advanceAsync(1000);
    expect(signals).toHaveLength(2);
    loop.stop();
    expect(signals[1]?.aborted).toBe(true);
  });

  it('never has two rounds at once, and pauses after one that was longer than the interval', async () => {
    const ends: (() => void)[] = [];
    const { clock, loop } = make(() => new Promise((resolve) => ends.push(resolve)));
    loop.start();
    await clock.advanceAsync(4000);
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await clock.advanceAsync(900);
    expect(ends).toHaveLength(1);
    await clock.advanceAsync(100);
    expect(ends).toHaveLength(2);
  });

  it('is one loop, though it is stopped and begun anew while a round is on its way', async () => {
    const ends: (() => void)[] = [];
    const { clock, loop } = make(() => new Promise((resolve) => ends.push(resolve)));
    loop.start();
    await clock.advanceAsync(1000);
    loop.stop();
    loop.start();
    ends[0]?.();
    await clock.advanceAsync(1000);
    expect(ends).toHaveLength(2);
    ends[1]?.();
    await clock.advanceAsync(1000);
    expect(ends).toHaveLength(3);
  });

  it('knows how long ago its last completed round was', async () => {
    let isBroken = false;
    const { clock, loop } = make(async () => {
      if (isBroken) throw new Error('refused');
    });
    clock.advance(10_000);
    loop.start();
    expect(loop.age).toBe(0);
    await clock.advanceAsync(1400);
    expect(loop.age).toBeCloseTo(0.4);
    isBroken = true;
    await clock.advanceAsync(60_000);
    expect(loop.age).toBeCloseTo(60.4);
  });

  it('goes on at its pace when the wall clock steps back or forward', async () => {
    let rounds = 0;
    const { clock, loop } = make(() => void (rounds += 1));
    loop.start();
    clock.advance(1000);
    clock.stepWall(-600_000);
    clock.advance(2000);
    expect(rounds).toBe(3);
    clock.stepWall(3_600_000);
    clock.advance(2000);
    expect(rounds).toBe(5);
    expect(loop.age).toBe(0);
  });
});
