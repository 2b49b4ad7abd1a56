import { expect, it } from 'vitest';
import type { Connection } from './connection.js';
import { KeepAlive } from './keep-alive.js';

const TICKS = 60;

/** Only what keep-alive calls. */
function listener(): { connection: Connection; heads: string[] } {
  const heads: string[] = [];
  return { connection: { keepAlive: (head: string) => heads.push(head) } as unknown as Connection, heads };
}

it('visits each connection once in an interval, spread over it', () => {
  let chance = 0;
  const keepAlive = new KeepAlive(
    15,
    () => 'head',
    () => (chance = (chance + 0.01) % 1),
  );
  const all = Array.from({ length: 200 }, listener);
  for (const { connection } of all) keepAlive.add(connection);
  const perTick: number[] = [];
  let before = 0;
  for (let tick = 0; tick < TICKS; tick += 1) {
    keepAlive.tick();
    const after = all.reduce((sum, { heads }) => sum + heads.length, 0);
    perTick.push(after - before);
    before = after;
  }
  expect(all.every(({ heads }) => heads.length === 1 && heads[0] === 'head')).toBe(true);
  expect(Math.max(...perTick)).toBeLessThanOrEqual(5);
});

it('forgets a connection that has left', () => {
  const keepAlive = new KeepAlive(
    15,
    () => 'head',
    () => 0,
  );
  const { connection, heads } = listener();
  keepAlive.add(connection);
  keepAlive.remove(connection);
  for (let tick = 0; tick < TICKS; tick += 1) keepAlive.tick();
  expect(heads).toEqual([]);
  expect(keepAlive.size).toBe(0);
});
