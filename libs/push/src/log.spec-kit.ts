import { describe, expect, it } from 'vitest';
import type { LogRecord, MessageLog, StampedMessage } from './log.js';

const message = (key: string): StampedMessage => ({
  type: 'T',
  message: { key },
  audience: [],
  delivery: 'critical',
  key,
});

/** What every message log does. */
export function messageLogContract(name: string, make: () => MessageLog): void {
  describe(`${name} is a message log`, () => {
    it('hands on every record after the head, in order, one at a time, with cursors of its own', async () => {
      const log = make();
      await log.append(message('a'));
      const read: LogRecord[] = [];
      let busy = false;
      log.follow(async (record) => {
        expect(busy).toBe(false);
        busy = true;
        await new Promise((resolve) => setImmediate(resolve));
        busy = false;
        read.push(record);
      });
      const cursors = await Promise.all(['b', 'c', 'd'].map((key) => log.append(message(key))));
      await log.close();
      expect(read.slice(-3).map(({ key }) => key)).toEqual(['b', 'c', 'd']);
      expect(read.slice(-3).map(({ cursor }) => cursor)).toEqual(cursors);
      expect(new Set(read.map(({ cursor }) => cursor)).size).toBe(read.length);
    });

    it('begins where its head is', async () => {
      const log = make();
      const head = await log.head();
      const read: LogRecord[] = [];
      log.follow((record) => void read.push(record));
      const cursor = await log.append(message('a'));
      await log.close();
      expect(read.map((record) => record.cursor)).toEqual([cursor]);
      expect(head).not.toBe(cursor);
      expect(await log.head()).toBe(cursor);
    });
  });
}
