import { VirtualClock } from '@crossfade/push/testing';
import { describe, expect, it } from 'vitest';
import { Removals } from './outbox-removals.js';
import { recordIdOf } from './outbox-rows.js';

function make() {
  const clock = new VirtualClock();
  const statements: (readonly string[])[] = [];
  const failures: string[] = [];
  const database = { isAway: false };
  const removals = new Removals(
    (rowIds) => {
      statements.push(rowIds);
      return database.isAway ? Promise.reject(new Error('away')) : Promise.resolve();
    },
    clock,
    (_error, doing) => failures.push(doing),
  );
  const addAll = (count: number, name = 'row') => {
    for (let index = 0; index < count; index += 1) removals.add(`${name}${index}`);
  };
  return { clock, statements, failures, database, removals, addAll };
}

describe('rows whose messages are in the log', () => {
  it('are removed together within 100 ms', async () => {
    const { clock, statements, removals } = make();
    removals.add('a');
    await clock.advanceAsync(60);
    removals.add('b');
    expect([removals.has('a'), removals.has('c')]).toEqual([true, false]);
    await clock.advanceAsync(39);
    expect(statements).toEqual([]);
    await clock.advanceAsync(1);
    expect(statements).toEqual([['a', 'b']]);
    await clock.advanceAsync(0);
    expect(removals.has('a')).toBe(false);
    await clock.advanceAsync(10_000);
    expect(statements).toHaveLength(1);
  });

  it('are removed once all of their messages are, in whatever order, however often they are named', async () => {
    const { clock, statements, removals } = make();
    for (const index of [2, 0, 0, 2]) removals.add(recordIdOf('row', index, 3));
    await clock.advanceAsync(1000);
    expect(statements).toEqual([]);
    removals.add(recordIdOf('row', 1, 3));
    await clock.advanceAsync(100);
    expect(statements).toEqual([['row']]);
  });

  it('are removed at once when there are many, 500 by a statement', async () => {
    const { clock, statements, addAll } = make();
    addAll(1200);
    await clock.advanceAsync(0);
    await clock.advanceAsync(0);
    expect(statements.map(({ length }) => length)).toEqual([500, 500]);
    await clock.advanceAsync(100);
    expect(statements.map(({ length }) => length)).toEqual([500, 500, 200]);
    expect(new Set(statements.flat()).size).toBe(1200);
  });

  it('are tried again every second while the database is away, however many come meanwhile', async () => {
    const { clock, statements, failures, database, removals, addAll } = make();
    database.isAway = true;
    removals.add('a');
    await clock.advanceAsync(100);
    await clock.advanceAsync(999);
    removals.add('b');
    expect(statements).toEqual([['a']]);
    await clock.advanceAsync(1);
    database.isAway = false;
    await clock.advanceAsync(1000);
    await clock.advanceAsync(10_000);
    expect(statements).toEqual([['a'], ['a', 'b'], ['a', 'b']]);
    expect(failures).toHaveLength(2);
    database.isAway = true;
    addAll(600);
    for (let second = 0; second < 3; second += 1) {
      await clock.advanceAsync(1000);
      addAll(600, `later ${second}`);
    }
    await clock.advanceAsync(0);
    expect(statements).toHaveLength(3 + 4);
  });

  it('are 10,000 at most, and 1,000 of which a part is missing: the others stay for the relay', async () => {
    const { clock, statements, database, removals, addAll } = make();
    for (let index = 0; index <= 1000; index += 1) removals.add(recordIdOf(`part${index}`, 0, 2));
    for (const index of [1, 0]) removals.add(recordIdOf(`part${index}`, 1, 2));
    expect([removals.has('part0'), removals.has('part1')]).toEqual([false, true]);
    database.isAway = true;
    addAll(11_000);
    database.isAway = false;
    await clock.advanceAsync(20_000);
    expect(new Set(statements.flat()).size).toBe(10_000);
  });

  it('are removed before the database is closed, if it answers', async () => {
    const { clock, statements, database, removals } = make();
    removals.add('a');
    await removals.close();
    expect(statements).toEqual([['a']]);
    database.isAway = true;
    removals.add('b');
    await removals.close();
    await clock.advanceAsync(10_000);
    expect(statements).toEqual([['a'], ['b']]);
  });
});
