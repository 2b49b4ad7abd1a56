import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everyone, organization } from '@crossfade/protocol';
import type { StampedMessage } from '@crossfade/push';
import { planRows, readRecordId, readRow, writeRow, type Told } from './outbox-rows.js';

const stampedAs = (delivery: StampedMessage['delivery'], said = ''): StampedMessage => ({
  type: 'StackChanged',
  data: JSON.stringify({ type: 'StackChanged', message: { said } }),
  audience: [organization('o'), everyone],
  delivery,
  key: 'key',
});

const told: fc.Arbitrary<readonly Told[]> = fc.array(
  fc.record({
    id: fc.uuid(),
    stamped: fc.oneof(
      { weight: 1, arbitrary: fc.constant(undefined) },
      { weight: 2, arbitrary: fc.constant(stampedAs('critical')) },
      { weight: 6, arbitrary: fc.string().map((said) => stampedAs('invalidation', said)) },
    ),
  }),
  { maxLength: 30 },
);

describe('the rows of a transaction', () => {
  it('have its messages in order, a critical one alone, and others next to each other together', () => {
    fc.assert(
      fc.property(told, (messages) => {
        const { rows, recordIds } = planRows(messages, 'everything');
        const published = messages.flatMap(({ stamped }) => stamped ?? []);
        expect(rows.flatMap((row) => row.messages)).toEqual(published);
        for (const row of rows.filter((one) => one.messages.some(({ delivery }) => delivery === 'critical')))
          expect(row.messages).toHaveLength(1);
        const kinds = rows.map((row) => row.messages[0]?.delivery);
        for (const [index, kind] of kinds.entries())
          if (kind === 'invalidation') expect(kinds[index - 1]).not.toBe('invalidation');
        const named = recordIds.flatMap((id) => id ?? []);
        expect(new Set(named).size).toBe(published.length);
        expect(named.map(readRecordId)).toEqual(
          rows.flatMap(({ rowId, messages: { length } }) =>
            Array.from({ length }, (_, index) => ({ rowId, index, count: length })),
          ),
        );
      }),
    );
  });

  it('are those of its critical messages only, under the ids that it was told, where no other process reads the log', () => {
    fc.assert(
      fc.property(told, (messages) => {
        const { rows, recordIds } = planRows(messages, 'criticals');
        const critical = messages.filter(({ stamped }) => stamped?.delivery === 'critical');
        expect(rows.map(({ rowId }) => rowId)).toEqual(critical.map(({ id }) => id));
        expect(recordIds.flatMap((id) => id ?? [])).toEqual(critical.map(({ id }) => id));
      }),
    );
  });

  it('have a bound, however much a transaction publishes', () => {
    const many = Array.from({ length: 1201 }, (_, index) => ({
      id: String(index),
      stamped: stampedAs('invalidation'),
    }));
    const lengths = (messages: readonly Told[]) =>
      planRows(messages, 'everything').rows.map((row) => row.messages.length);
    expect(lengths(many)).toEqual([500, 500, 201]);
    const large = stampedAs('invalidation', 'x'.repeat(700_000));
    expect(lengths(['a', 'b', 'c'].map((id) => ({ id, stamped: large })))).toEqual([2, 1]);
  });
});

describe('a row', () => {
  it('is read as it was written, with what another version put on the stamp', () => {
    const one = { ...stampedAs('critical', '\u0000'), effect: { kind: 'new', more: 1 }, marked: true };
    for (const messages of [[one], [one, stampedAs('invalidation')]])
      expect(readRow(writeRow({ rowId: 'r', messages }))).toEqual(messages);
  });

  it('of an earlier version has the message itself, which becomes what goes over the wire', () => {
    const { data: _, ...stamp } = stampedAs('critical');
    const message = { said: 'hello', n: [1.5, null] };
    expect(readRow(JSON.stringify({ ...stamp, message }))).toEqual([
      { ...stamp, data: JSON.stringify({ type: 'StackChanged', message }) },
    ]);
  });

  it.each(['', 'null', '{}', '[]', '{"type":"T"}', '[{"type":"T","data":1}]', 'x'.repeat(10)])(
    'that is %j cannot be read',
    (text) => expect(readRow(text)).toBeUndefined(),
  );
});
