import { DeadlineError } from '@crossfade/push';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRefusal, isUnavailable, NoConnection, queryError } from './query-error.js';

/** As the driver throws what the server answers. */
const answered = (code: string, severity = 'ERROR') =>
  Object.assign(new Error('duplicate key: Key (email)=(ada@example.com) already exists'), {
    code,
    severity,
    detail: 'Key (email)=(ada@example.com)',
  });

describe('a query that failed', () => {
  it.each([
    '08006',
    '08P01',
    '53300',
    '53100',
    '57P01',
    '57P03',
    '57014',
    '55P03',
    '25P03',
    '25006',
    '40001',
    '58030',
  ])('may be tried again after %s', (code) =>
    expect(isUnavailable(queryError('SELECT 1', answered(code)))).toBe(true),
  );

  it.each(['23505', '23503', '22P02', '42703', '42P01', '25P02', 'P0001', 'XX000', '57000'])(
    'is a fault of ours, or of who asked, with %s',
    (code) => expect(isUnavailable(queryError('SELECT 1', answered(code)))).toBe(false),
  );

  it('may be tried again when there was no connection, whatever kept it from being had', () => {
    const why = [
      Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' }),
      Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
      new AggregateError([Object.assign(new Error('one'), { code: 'ETIMEDOUT' }), new Error('other')]),
      new Error('Connection terminated unexpectedly'),
      new DeadlineError('PostgreSQL', 16_000),
      new NoConnection(answered('28P01', 'FATAL')),
      new NoConnection(answered('3D000', 'FATAL')),
    ];
    for (const error of why) {
      expect(isUnavailable(queryError('SELECT 1', error)), error.message).toBe(true);
      expect(isRefusal(error)).toBe(false);
    }
    expect(queryError('', why[2]).code).toBe('ETIMEDOUT');
    expect(queryError('', why[5]).code).toBe('28P01');
  });

  it('is not tried again when a value could not be written or read', () => {
    for (const error of [
      new TypeError('circular'),
      new RangeError('date'),
      new SyntaxError('json'),
      undefined,
      'text',
    ])
      expect(isUnavailable(queryError('SELECT 1', error)), String(error)).toBe(
        error === undefined || error === 'text',
      );
  });

  it('leaves its connection usable only after an ERROR that the server answered', () => {
    expect(isRefusal(answered('23505'))).toBe(true);
    expect(isRefusal(answered('57P01', 'FATAL'))).toBe(false);
    expect(isRefusal(new Error('Connection terminated'))).toBe(false);
    expect(isRefusal(undefined)).toBe(false);
  });

  it('tells the statement and the code, of bounded length, and nothing of what the database said', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 3000 }), fc.string({ minLength: 8 }), (statement, value) => {
        fc.pre(!statement.slice(0, 501).includes(value) && !'23505: '.includes(value));
        const cause = Object.assign(new Error(`said ${value}`), {
          code: '23505',
          severity: 'ERROR',
          detail: value,
        });
        const error = queryError(statement, cause);
        expect(error.message.length).toBeLessThan(520);
        expect(error.message).not.toContain(value);
        expect(JSON.stringify(error)).not.toContain(value);
        expect(error.cause).toBeUndefined();
      }),
    );
  });
});
