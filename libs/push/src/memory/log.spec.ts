import { describe, expect, it } from 'vitest';
import type { Journal, JournalEntry } from '../journal.js';
import type { LogRecord, Position, StampedMessage } from '../log.js';
import { messageLogContract } from '../log.spec-kit.js';
import { settled } from '../scripted.spec-kit.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { MemoryMessageLog } from './log.js';

messageLogContract('MemoryMessageLog', () => new MemoryMessageLog());

const message = (recordId: string): StampedMessage => ({
  type: 'T',
  data: '{}',
  audience: [],
  delivery: 'critical',
  key: recordId,
  recordIds: [recordId],
});

/** What a database would keep. */
class KeptJournal implements Journal {
  generation = 0;
  entries: JournalEntry[] = [];
  gate: Promise<void> = Promise.resolve();

  record(recordId: string): StampedMessage {
    this.entries.push({ recordId, message: message(recordId), publishedAt: 5, cursor: undefined });
    return message(recordId);
  }

  async open() {
    await this.gate;
    this.generation += 1;
    return { log: 'keptkept', generation: this.generation, floor: undefined, entries: [...this.entries] };
  }

  async recordPosition(recordId: string, { cursor }: Position) {
    await this.gate;
    this.entries = this.entries.map((entry) => (entry.recordId === recordId ? { ...entry, cursor } : entry));
  }
}

function follow(log: MemoryMessageLog): LogRecord[] {
  const read: LogRecord[] = [];
  log.follow({ record: (record) => void read.push(record), hole: () => undefined });
  return read;
}

it('knows a cursor of a log that replicas share for one of a log that is gone, and takes no such number for its own', async () => {
  const log = new MemoryMessageLog();
  const { cursor } = (await log.open()).head;
  expect(log.locate('AAAAAAAA.1700000000000-12')).toBe('lost');
  const generation = cursor.slice(0, cursor.lastIndexOf('-'));
  expect(log.locate(`${generation}-9999999999999999999`)).toBe('unknown');
});

describe('a log with a journal', () => {
  it('gives critical records back at the next start, under the ids that they had, before its head', async () => {
    const journal = new KeptJournal();
    const first = new MemoryMessageLog({ journal });
    await first.open();
    follow(first);
    const cursor = await first.append(journal.record('a'));
    const second = new MemoryMessageLog({ journal });
    const { head, records, criticalFloor } = await second.open();
    expect(records.map((record) => [record.cursor, record.recordIds, record.publishedAt])).toEqual([
      [cursor, ['a'], 5],
    ]);
    expect(records[0]?.offset).toBeLessThan(head.offset);
    expect(criticalFloor.offset).toBeLessThan(records[0]?.offset ?? 0n);
    expect(second.locate(cursor)).toBe(records[0]?.offset);
  });

  it('delivers what was recorded and has no position yet, once', async () => {
    const journal = new KeptJournal();
    journal.record('a');
    const log = new MemoryMessageLog({ journal });
    const { records } = await log.open();
    const read = follow(log);
    await log.close();
    expect(records).toEqual([]);
    expect(read.map(({ recordIds }) => recordIds)).toEqual([['a']]);
    expect(journal.entries[0]?.cursor).toBe(read[0]?.cursor);
  });

  it('gives back messages that were in another log under the ids that they had there, after its own', async () => {
    const journal = new KeptJournal();
    const first = new MemoryMessageLog({ journal });
    await first.open();
    follow(first);
    const own = await first.append(journal.record('a'));
    journal.record('b');
    await journal.recordPosition('b', { cursor: 'AAAAAAAA.1700000000000-3', offset: 9n ** 30n });
    const second = new MemoryMessageLog({ journal });
    const { head, records } = await second.open();
    expect(records.map(({ recordIds, id }) => [recordIds, id])).toEqual([
      [['a'], undefined],
      [['b'], 'AAAAAAAA.1700000000000-3'],
    ]);
    const [before, foreign] = records;
    expect(before?.cursor).toBe(own);
    expect(foreign?.offset).toBeGreaterThan(before?.offset ?? 0n);
    expect(second.locate(foreign?.cursor ?? '')).toBe(head.offset);
    const read = follow(second);
    await second.append({ ...message('c'), recordIds: [] });
    await second.close();
    expect(read.map(({ key }) => key)).toEqual(['c']);
    expect(read[0]?.offset).toBeGreaterThan(head.offset);
    // Another start gives it another position, and clients the same id.
    const third = await new MemoryMessageLog({ journal }).open();
    expect(third.records.map(({ id }) => id)).toEqual([undefined, 'AAAAAAAA.1700000000000-3']);
    expect(third.records[1]?.offset).toBeGreaterThan(read[0]?.offset ?? 0n);
  });

  it('hands nothing on before its cursor is noted, and keeps the order', async () => {
    const journal = new KeptJournal();
    const log = new MemoryMessageLog({ journal });
    await log.open();
    const read = follow(log);
    let noted: () => void = () => undefined;
    journal.gate = new Promise((resolve) => (noted = resolve));
    const appended = [
      log.append(journal.record('a')),
      log.append({ ...message('b'), recordIds: [], key: 'plain' }),
    ];
    await settled();
    expect(read).toEqual([]);
    noted();
    await Promise.all(appended);
    await log.close();
    expect(read.map(({ key }) => key)).toEqual(['a', 'plain']);
  });

  it('goes on after two seconds when the journal hangs, and says what that means', async () => {
    const journal = new KeptJournal();
    const clock = new VirtualClock();
    const advance = (milliseconds: number): void => clock.advance(milliseconds);
    const errors: string[] = [];
    const log = new MemoryMessageLog({ journal, clock, onError: (_error, doing) => errors.push(doing) });
    await log.open();
    const read = follow(log);
    journal.gate = new Promise(() => undefined);
    void log.append(journal.record('a'));
    await settled();
    advance(2000);
    await settled();
    expect(read).toHaveLength(1);
    expect(errors[0]).toContain('a restart may repeat it');
  });

  it('keeps what is published before it is open in order behind what it opens with', async () => {
    const journal = new KeptJournal();
    journal.record('a');
    const log = new MemoryMessageLog({ journal });
    const opening = log.open();
    const appended = log.append({ ...message('b'), key: 'early' });
    await opening;
    const read = follow(log);
    await appended;
    await log.close();
    expect(new Set(read.map(({ key }) => key))).toEqual(new Set(['a', 'early']));
    expect(new Set(read.map(({ cursor }) => cursor)).size).toBe(2);
  });
});
