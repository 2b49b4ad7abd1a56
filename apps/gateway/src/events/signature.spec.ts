import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvent } from './event-input.js';
import { patternOf, signatureOf } from './signature.js';

const sign = (raw: object) => {
  const event = readEvent(raw, new Date());
  if (event === undefined) throw new Error('not an event');
  return signatureOf(event);
};
const thrown = (over: object = {}) => ({
  type: 'error',
  data: {
    '@error': {
      type: 'TypeError',
      message: 'Order 17 is missing',
      stack_trace: [
        { name: 'checkout', declaring_type: 'Cart', file_name: '/srv/app/dist/cart.js', line_number: 10 },
        { name: 'post', declaring_type: 'Router', file_name: '/srv/app/dist/router.js', line_number: 99 },
      ],
      ...over,
    },
  },
});

describe('the signature of a stack', () => {
  it.each([
    ['another number in the message', thrown({ message: 'Order 4,217 is missing' })],
    [
      'another line, folder and content hash',
      thrown({
        stack_trace: [
          { name: 'checkout', declaring_type: 'Cart', file_name: 'C:\\next\\cart.js?v=2', line_number: 11 },
          {
            name: 'post',
            declaring_type: 'Router',
            file_name: 'https://cdn.example/router-Bq1x9Zk2.js',
            line_number: 1,
          },
        ],
      }),
    ],
  ])('is the same with %s', (_title, other) => {
    expect(sign(other).hash).toBe(sign(thrown()).hash);
  });

  it.each([
    ['type of error', thrown({ type: 'RangeError' })],
    ['message', thrown({ message: 'Order 17 is late' })],
    [
      'top frame',
      thrown({ stack_trace: [{ name: 'refund', declaring_type: 'Cart', file_name: 'cart.js' }] }),
    ],
    ['type of event', { ...thrown(), type: 'log' }],
  ])('differs with another %s', (_title, other) => {
    expect(sign(other).hash).not.toBe(sign(thrown()).hash);
  });

  it('is what the client says, where it says', () => {
    const one = {
      ...thrown(),
      data: { ...thrown().data, '@stack': { title: 'Mine', signature_data: { a: '1', b: '2' } } },
    };
    const other = {
      type: 'log',
      message: 'quite another',
      data: { '@stack': { signature_data: { b: '2', a: '1' } } },
    };
    expect(sign(one)).toMatchObject({ title: 'Mine' });
    expect(sign(one).hash).toBe(sign(other).hash);
  });

  it('reads a trace that is one text', () => {
    const simple = (line: number) => ({
      data: { '@simple_error': { message: 'x', stack_trace: `Error: x\n    at f (a.js:${line}:5)\n` } },
    });
    expect(sign(simple(1)).hash).toBe(sign(simple(2)).hash);
  });

  it('takes any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (error, stack) => {
        expect(sign({ message: 'm', data: { '@error': error, '@stack': stack } }).hash).toMatch(
          /^[0-9a-f]{64}$/,
        );
      }),
    );
  });
});

describe('the pattern of a message', () => {
  it.each([
    ['Order 17 of 4,000.50 at 12:30', 'Order * of * at *'],
    ['User 0b9f7d9e-8a53-4c1c-9a61-3c9f0d6a7e11 is gone', 'User * is gone'],
    ['GET https://api.example/x?y=1 failed', 'GET * failed'],
    [`Unexpected token "a" in 'b'`, 'Unexpected token * in *'],
    ['at 0xDEADBEEF   now', 'at * now'],
  ])('%s', (message, pattern) => {
    expect(patternOf(message)).toBe(pattern);
  });

  it('takes no longer for hostile text', () => {
    const begun = performance.now();
    for (const part of ['"', "'", '1.', '0x', 'http://', '-', ' ', 'a0']) patternOf(part.repeat(100_000));
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});
