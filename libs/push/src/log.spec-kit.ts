import { describe, expect, it } from 'vitest';
import type { LogRecord, MessageLog, StampedMessage } from './log.js';

const message = (key: string): StampedMessage => ({
  type: 'T',
  data: JSON.stringify({ type: 'T', message: { key } }),
  audience: [],
  delivery: 'critical',
  key,
});

const neverAHole = (): never => expect.unreachable('nothing was lost');

/** What every message log does. */
export function messageLogContract(name: string, make: () => MessageLog | Promise<MessageLog>): void {
  describe(`${name} is a message log`, () => {
    it('hands on every record after the head, in order, one at a time, with cursors of its own', async () => {
      const log = await make();
      await log.append(message('a'));
      await log.open();
      const read: LogRecord[] = [];
      let busy = false;
      log.follow({
        hole: neverAHole,
        record: async (record) => {
          expect(busy).toBe(false);
          busy = true;
          await new Promise((resolve) => setImmediate(resolve));
          busy = false;
          read.push(record);
        },
      });
      const cursors = await Promise.all(['b', 'c', 'd'].map((key) => log.append(message(key))));
      await log.close();
      expect(read.slice(-3).map(({ key }) => key)).toEqual(['b', 'c', 'd']);
      expect(read.slice(-3).map(({ cursor }) => cursor)).toEqual(cursors);
      expect(new Set(read.map(({ cursor }) => cursor)).size).toBe(read.length);
    });

    it('begins where its head is, in the order of offsets', async () => {
      const log = await make();
      await log.append(message('before'));
      const { head } = await log.open();
      expect(log.locate(head.cursor)).toBe(head.offset);
      const read: LogRecord[] = [];
      log.follow({ record: (record) => void read.push(record), hole: neverAHole });
      const cursors = [await log.append(message('a')), await log.append(message('b'))];
      await log.close();
      expect(read.slice(-2).map((record) => record.cursor)).toEqual(cursors);
      const offsets = [head.offset, ...read.map(({ offset }) => offset)];
      expect(offsets).toEqual([...offsets].sort((a, b) => (a < b ? -1 : 1)));
      expect(read.map(({ cursor }) => log.locate(cursor))).toEqual(read.map(({ offset }) => offset));
    });

    it.each(['', 'x', '../..', 'a\nb', `${'9'.repeat(400)}`, '\u0000'])(
      'does not take %j for a cursor',
      async (text) => {
        const log = await make();
        await log.open();
        expect(log.locate(text)).toBe('unknown');
      },
    );

    it("knows another log's cursor for one of a log that is gone", async () => {
      const log = await make();
      await log.open();
      expect(log.locate((await (await make()).open()).head.cursor)).toBe('lost');
    });
  });
}
