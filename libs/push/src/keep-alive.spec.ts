import { expect, it } from 'vitest';
import type { Connection } from './connection.js';
import type { PositionFrame } from './frame.js';
import { KeepAlive } from './keep-alive.js';
import type { Position } from './log.js';
import { at, testEnvironment } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

const TICKS = 60;
const INTERVAL_MS = 15_000;

/** Only what keep-alive calls. */
function listener(): { connection: Connection; heads: Position[] } {
  const heads: Position[] = [];
  return {
    connection: { keepAlive: ({ position }: PositionFrame) => heads.push(position) } as unknown as Connection,
    heads,
  };
}

it('visits each connection once in an interval, spread over it', () => {
  let chance = 0;
  const clock = new VirtualClock();
  const keepAlive = new KeepAlive(
    15,
    () => at(7),
    testEnvironment({ clock, random: () => (chance = (chance + 0.01) % 1) }),
  );
  const all = Array.from({ length: 200 }, listener);
  for (const { connection } of all) keepAlive.add(connection);
  keepAlive.loop.start();
  const perTick: number[] = [];
  let before = 0;
  for (let tick = 0; tick < TICKS; tick += 1) {
    clock.advance(INTERVAL_MS / TICKS);
    const after = all.reduce((sum, { heads }) => sum + heads.length, 0);
    perTick.push(after - before);
    before = after;
  }
  expect(all.every(({ heads }) => heads.length === 1 && heads[0]?.offset === 7n)).toBe(true);
  expect(Math.max(...perTick)).toBeLessThanOrEqual(5);
});

it('forgets a connection that has left, and stops when it is told to', () => {
  const clock = new VirtualClock();
  const keepAlive = new KeepAlive(15, () => at(7), testEnvironment({ clock }));
  const { connection, heads } = listener();
  keepAlive.add(connection);
  keepAlive.remove(connection);
  keepAlive.loop.start();
  clock.advance(INTERVAL_MS);
  expect(heads).toEqual([]);
  expect(keepAlive.size).toBe(0);
  keepAlive.add(connection);
  keepAlive.loop.stop();
  clock.advance(INTERVAL_MS);
  expect(heads).toEqual([]);
});
