import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInstant } from './instant.js';

const two = (value: number) => String(value).padStart(2, '0');

describe('a date from outside', () => {
  it('is the instant that was written, in whatever form of ISO 8601 and with whatever offset', () => {
    const offset = fc.oneof(
      fc.constantFrom(['Z', 0], ['z', 0], ['', 0]),
      fc
        .tuple(fc.constantFrom(1, -1), fc.nat(23), fc.nat(59), fc.constantFrom(':', ''))
        .map(([sign, hours, minutes, colon]): [string, number] => [
          `${sign < 0 ? '-' : '+'}${two(hours)}${colon}${two(minutes)}`,
          sign * (hours * 60 + minutes),
        ]),
    ) as fc.Arbitrary<[string, number]>;
    const date = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(
        date,
        offset,
        fc.constantFrom('T', 't'),
        fc.constantFrom('.', ','),
        (instant, [suffix, minutes], T, dot) => {
          const local = new Date(instant.getTime() + minutes * 60_000).toISOString().slice(0, -1);
          expect(readInstant(local.replace('T', T).replace('.', dot) + suffix)).toEqual(instant);
        },
      ),
    );
  });

  it.each([
    ['2026-05-31', '2026-05-31T00:00:00.000Z'],
    ['2026-05-31T14:30', '2026-05-31T14:30:00.000Z'],
    ['2026-05-31T14:30Z', '2026-05-31T14:30:00.000Z'],
    ['2026-05-31T14:30:05.1234567+02:00', '2026-05-31T12:30:05.123Z'],
    ['2026-05-31T14:30:05.1', '2026-05-31T14:30:05.100Z'],
    ['2026-05-31T14:30:05+0200', '2026-05-31T12:30:05.000Z'],
    ['2026-05-31T14:30:05-03', '2026-05-31T17:30:05.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    [`2026-05-31T14:30:05.${'9'.repeat(10_000)}Z`, '2026-05-31T14:30:05.999Z'],
  ])('%s is %s', (text, instant) => {
    expect(readInstant(text)?.toISOString()).toBe(instant);
  });

  it.each([
    '',
    '5',
    'build 2013',
    '2013',
    '2013-05',
    '20260531T143005Z',
    '2026-151',
    '2026-W22-7',
    '05/31/2026',
    '31.05.2026',
    'May 31, 2026',
    'Sun, 31 May 2026 14:30:05 GMT',
    '2026-05-31 14:30:05',
    '2026-05-31T14',
    '2026-05-31T14:30:05 +02:00',
    '2026-05-31Z',
    '2026-05-31T24:00:00Z',
    '2026-05-31T23:60:00Z',
    '2026-05-31T23:59:60Z',
    '2026-02-29T00:00:00Z',
    '2026-02-30',
    '2026-00-10',
    '2026-13-01T00:00:00Z',
    '2026-06-31T00:00:00Z',
    '2026-05-31T14:30:05+24:00',
    '+002026-05-31T14:30:05Z',
    '-000001-01-01T00:00:00Z',
    '1780237805000',
    '2026-05-31T14:30:05.Z',
    ' 2026-05-31',
    '2026-05-31\n',
    '２０２６-05-31',
    '/Date(1780237805000)/',
  ])('%j is none', (text) => {
    expect(readInstant(text)).toBeUndefined();
  });
});
