import { describe, expect, it } from 'vitest';
import type { SharedJournal } from '../journal.js';
import type { LogRecord } from '../log.js';
import { settled } from '../scripted.spec-kit.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { CriticalIds } from './critical-ids.js';

const record = (key: string, over: Partial<LogRecord> = {}): LogRecord => ({
  type: 'T',
  data: '{}',
  audience: [],
  delivery: 'critical',
  key,
  recordIds: [key],
  cursor: `epoch.${key}-0`,
  offset: 1n,
  publishedAt: 1,
  ...over,
});

/** A journal that answers when the test lets it. */
function make() {
  const first = new Map<string, string>();
  const asked: string[] = [];
  const errors: string[] = [];
  const clock = new VirtualClock();
  const answer = { gate: Promise.resolve() };
  const unused = (): never => expect.unreachable('it is not asked for this');
  const journal: SharedJournal = {
    criticals: unused,
    remove: unused,
    recordFirstPosition: async (recordId, { cursor }) => {
      asked.push(recordId);
      await answer.gate;
      if (!first.has(recordId)) first.set(recordId, cursor);
      return first.get(recordId);
    },
  };
  const ids = new CriticalIds(journal, clock, (_error, doing) => errors.push(doing));
  const of = async (...records: LogRecord[]) => (await ids.of(records)).map(({ id, cursor }) => id ?? cursor);
  return { ids, of, asked, errors, clock, answer, first };
}

describe('the id of a critical message', () => {
  it('is the first cursor that was recorded for it, and stays when it is appended again', async () => {
    const { of } = make();
    expect(await of(record('1'), record('2'))).toEqual(['epoch.1-0', 'epoch.2-0']);
    expect(await of(record('1', { cursor: 'other.9-0' }), record('3'))).toEqual(['epoch.1-0', 'epoch.3-0']);
  });

  it('is asked for only where there is one to know, and all of many', async () => {
    const { of, asked, ids } = make();
    const known = [
      record('1', { delivery: 'invalidation' }),
      record('2', { id: 'older.2-0' }),
      record('3', { recordIds: [] }),
    ];
    expect(await of(...known)).toEqual(['epoch.1-0', 'older.2-0', 'epoch.3-0']);
    expect(asked).toEqual([]);
    expect(await new CriticalIds(undefined, new VirtualClock(), () => undefined).of(known)).toBe(known);
    const many = Array.from({ length: 200 }, (_, index) => record(`m${index}`));
    expect(await ids.of(many)).toEqual(many);
    expect(asked).toHaveLength(200);
  });

  it('is its cursor if nobody says in time, and nobody waits again for a while', async () => {
    const { of, asked, errors, clock, answer } = make();
    answer.gate = new Promise(() => undefined);
    let got: string[] | undefined;
    void of(record('1')).then((found) => (got = found));
    await clock.advanceAsync(1999);
    expect(got).toBeUndefined();
    await clock.advanceAsync(1);
    await settled();
    expect([got, errors.length]).toEqual([['epoch.1-0'], 1]);
    expect(await of(record('2'))).toEqual(['epoch.2-0']);
    expect(asked).toEqual(['1']);
    await clock.advanceAsync(10_000);
    answer.gate = Promise.resolve();
    expect(await of(record('3'))).toEqual(['epoch.3-0']);
    expect([asked, errors.length]).toEqual([['1', '3'], 1]);
  });
});
