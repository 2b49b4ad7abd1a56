import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExactly } from '../parsing/exact-number.js';
import { isEvent, readEvent } from './event-input.js';

const now = new Date('2026-06-01T12:00:00Z');

describe('an event from a client library', () => {
  it('is kept as it is where it is valid', () => {
    const event = {
      type: 'error',
      message: 'm',
      date: '2026-05-31T00:00:00Z',
      tags: ['a', ' b ', 'a'],
      reference_id: 'r',
      count: 3,
      data: { x: 1 },
    };
    expect(readEvent(event, now)).toEqual({
      type: 'error',
      source: undefined,
      message: 'm',
      date: new Date('2026-05-31T00:00:00Z'),
      data: { x: 1 },
      tags: ['a', 'b'],
      referenceId: 'r',
      count: 3,
    });
  });

  it('loses only the fields that are invalid', () => {
    const event = {
      type: 5,
      message: ['x'],
      date: 'soon',
      tags: [1, 'a'],
      reference_id: {},
      count: -1,
      data: 'text',
    };
    expect(readEvent(event, now)).toEqual({
      type: 'log',
      source: undefined,
      message: undefined,
      date: now,
      data: {},
      tags: ['a'],
      referenceId: undefined,
      count: 1,
    });
  });

  it.each(['1970-01-01T00:00:00Z', '2026-06-03T00:00:00Z', '+275760-09-13T00:00:00.001Z'])(
    'is not believed to be of %s',
    (date) => {
      expect(readEvent({ date }, now)?.date).toEqual(now);
    },
  );

  it.each([
    ['2026-05-31T12:00:00', '2026-05-31T12:00:00Z'],
    ['2026-05-31', '2026-05-31T00:00:00Z'],
    ['2026-05-31T12:00:00+0200', '2026-05-31T10:00:00Z'],
    ['5', undefined],
    ['build 2013', undefined],
    ['2026-05-31 12:00:00', undefined],
  ])('of "%s" is of %s, or of now', (date, instant) => {
    expect(readEvent({ date }, now)?.date).toEqual(instant === undefined ? now : new Date(instant));
  });

  it('loses no half of a character where a text is cut', () => {
    const text = (most: number) => `${'x'.repeat(most - 1)}\u{1f600}`;
    const event = readEvent(
      {
        type: text(100),
        source: text(2000),
        message: text(2000),
        reference_id: text(200),
        tags: [text(100)],
      },
      now,
    );
    expect(event).toMatchObject({
      type: 'x'.repeat(99),
      source: 'x'.repeat(1999),
      message: 'x'.repeat(1999),
      referenceId: 'x'.repeat(199),
      tags: ['x'.repeat(99)],
    });
  });

  it('keeps numbers that JavaScript would change, and takes none of them for an event', () => {
    const batch = parseExactly(
      '[9007199254740993,{"data":{"a":[9007199254740993]}},{"data":9007199254740993}]',
    );
    const [number, event, without] = batch as unknown[];
    expect(isEvent(number)).toBe(false);
    expect(JSON.stringify(readEvent(event, now)?.data)).toBe('{"a":[9007199254740993]}');
    expect(readEvent(without, now)?.data).toEqual({});
  });

  it('is of the user whom a long number names, and has the value that is nearest to one', () => {
    const raw = parseExactly(
      '{"value":12345678901234567890,"count":9007199254740993,"data":{"@user":{"identity":9007199254740993}}}',
    );
    expect(readEvent(raw, now)).toMatchObject({
      value: 12345678901234567000,
      count: 1,
      userIdentity: '9007199254740993',
    });
  });

  it('has text that PostgreSQL takes, at any depth', () => {
    const event = readEvent({ message: 'a\0b\uD800', data: { 'k\0': ['\0', { deep: '\uDC00' }] } }, now);
    expect(event?.message).toBe('a\uFFFDb\uFFFD');
    expect(event?.data).toEqual({ 'k\uFFFD': ['\uFFFD', { deep: '\uFFFD' }] });
  });

  it('survives nesting without end', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(readEvent({ message: 'm', data: { deep } }, now)?.message).toBe('m');
  });

  it('is nothing if it is no object, and something whatever the object', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (raw) => {
        const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
        const event = readEvent(raw, now);
        expect(event !== undefined).toBe(isObject);
        expect(JSON.stringify(event) ?? '').not.toContain('\\u0000');
      }),
    );
  });
});
