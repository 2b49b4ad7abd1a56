import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { next, type PushEvent, type PushState } from './state';

const run = (events: readonly PushEvent[], from: PushState = { name: 'idle' }, now = 0) =>
  events.reduce((state, event) => next(state, event, now, 1), from);
const connecting = { name: 'connecting', attempt: 0 } as const;
const connected = { type: 'connected', keepAliveMs: 15_000 } as const;

describe('the state of the stream', () => {
  it.each([
    [401, { name: 'refused', why: 'unauthorized' }],
    [403, { name: 'refused', why: 'forbidden' }],
    [404, { name: 'off', delayMs: 450_000 }],
    [500, { name: 'waiting', attempt: 1, delayMs: 1000 }],
    [undefined, { name: 'waiting', attempt: 1, delayMs: 1000 }],
  ] as const)('after a failure with %s', (status, expected) => {
    expect(run([{ type: 'failed', ...(status === undefined ? {} : { status }) }], connecting)).toEqual(
      expected,
    );
  });

  it.each([429, 503])('honours the time that a %i names, and stretches it', (status) => {
    expect(run([{ type: 'failed', status, retryAfterMs: 7000 }], connecting)).toEqual({
      name: 'waiting',
      attempt: 1,
      delayMs: 10_500,
    });
  });

  it('waits longer with each failure', () => {
    let state: PushState = connecting;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 7; attempt += 1) {
      state = run([{ type: 'failed' }], state);
      if (state.name === 'waiting') delays.push(state.delayMs);
      state = run([{ type: 'due' }], state);
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('begins with a short wait again after a stable stream only', () => {
    const open = { name: 'open', attempt: 4, sinceMs: 0, keepAliveMs: 15_000 } as const;
    expect(next(open, { type: 'ended' }, 9999, 1)).toEqual({ name: 'waiting', attempt: 5, delayMs: 16_000 });
    expect(next(open, { type: 'ended' }, 10_000, 1)).toEqual({ name: 'waiting', attempt: 1, delayMs: 1000 });
  });

  it('pauses while the tab is hidden, and goes on when it is shown', () => {
    expect(run([{ type: 'start' }, connected, { type: 'hidden' }])).toEqual({ name: 'paused' });
    expect(
      run([
        { type: 'start' },
        connected,
        { type: 'hidden' },
        { type: 'ended' },
        { type: 'due' },
        { type: 'shown' },
      ]),
    ).toEqual(connecting);
    expect(run([{ type: 'hidden' }], { name: 'refused', why: 'forbidden' })).toEqual({
      name: 'refused',
      why: 'forbidden',
    });
  });

  it('moves when the server asks for it', () => {
    expect(run([{ type: 'start' }, connected, { type: 'moved', delayMs: 300 }])).toEqual({
      name: 'waiting',
      attempt: 0,
      delayMs: 300,
    });
  });

  it('leaves a refusal only by a new start, and idleness never by itself', () => {
    const event = fc.oneof(
      fc.constantFrom<PushEvent>(
        connected,
        { type: 'failed' },
        { type: 'failed', status: 404 },
        { type: 'ended' },
        { type: 'due' },
        { type: 'hidden' },
        { type: 'shown' },
        { type: 'moved', delayMs: 1 },
      ),
    );
    const still = fc.constantFrom<PushState>(
      { name: 'idle' },
      { name: 'refused', why: 'unauthorized' },
      { name: 'refused', why: 'forbidden' },
    );
    fc.assert(
      fc.property(still, fc.array(event), (state, events) => {
        expect(run(events, state)).toBe(state);
        expect(run([...events, { type: 'start' }], state)).toEqual(connecting);
      }),
    );
  });

  it('never waits longer than half a minute without being told to', () => {
    const event = fc.constantFrom<PushEvent>(
      { type: 'start' },
      connected,
      { type: 'failed' },
      { type: 'ended' },
      { type: 'due' },
      { type: 'hidden' },
      { type: 'shown' },
    );
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (events, random) => {
          let state: PushState = { name: 'idle' };
          for (const [index, one] of events.entries()) {
            state = next(state, one, index * 1000, random);
            if (state.name === 'waiting') expect(state.delayMs).toBeLessThanOrEqual(30_000);
          }
        },
      ),
    );
  });
});
