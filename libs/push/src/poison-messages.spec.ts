import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PoisonMessages } from './poison-messages.js';
import { logged } from './scripted.spec-kit.js';

const LARGE = 'x'.repeat(5000);
const large = (offset: number, type = 'Large') => logged(offset, { type, data: LARGE });
const small = (offset: number) => logged(offset, { type: 'Small' });

function make() {
  const open = new Set<string>();
  const poison = new PoisonMessages((id) => open.has(id));
  let made = 0;
  /** One stream of a client: where it is led past, or undefined where it reads. */
  const begin = (
    messages: ReturnType<typeof logged>[],
    { tokenId = 't', cursor = '0', types = undefined as ReadonlySet<string> | undefined } = {},
  ) => {
    const connectionId = `c${(made += 1)}`;
    open.add(connectionId);
    const unreadable = poison.begin({ connectionId, tokenId, cursor, types }, messages);
    return { offset: unreadable?.offset, end: () => open.delete(connectionId) };
  };
  /** Several streams, each after the end of the one before. */
  const oneByOne = (times: number, ...asked: Parameters<typeof begin>) =>
    Array.from({ length: times }, () => {
      const { offset, end } = begin(...asked);
      end();
      return offset;
    });
  return { begin, oneByOne };
}

describe('a client that comes back again and again with the same cursor', () => {
  it('is led past a large message that it has failed to read three times, and then may fail again', () => {
    const { oneByOne } = make();
    expect(oneByOne(5, [large(7), large(8)])).toEqual([undefined, undefined, undefined, 7n, undefined]);
  });

  it.each([
    ['is small', [small(7), large(8)]],
    ['is missing', []],
  ])('reads on for ever where what is next %s', (_what, messages) => {
    const { oneByOne } = make();
    expect(new Set(oneByOne(20, messages))).toEqual(new Set([undefined]));
  });

  it('is measured in bytes, not in characters', () => {
    const { oneByOne } = make();
    expect(oneByOne(4, [logged(7, { data: '漢'.repeat(1500) })]).at(-1)).toBe(7n);
    expect(oneByOne(4, [logged(7, { data: 'x'.repeat(1500) })], { cursor: '1' }).at(-1)).toBeUndefined();
  });

  it('is judged by the first message of the types that it asked for', () => {
    const { oneByOne } = make();
    const messages = [large(7, 'Unwanted'), small(8), large(9)];
    expect(oneByOne(4, messages, { types: new Set(['Large']) }).at(-1)).toBe(9n);
    expect(oneByOne(4, messages, { types: new Set(['Small']), cursor: '1' }).at(-1)).toBeUndefined();
    expect(oneByOne(4, messages, { types: new Set(['None']), cursor: '2' }).at(-1)).toBeUndefined();
  });

  it('looks at a bounded number of messages of other types', () => {
    const { oneByOne } = make();
    let looks = 0;
    const messages = Array.from({ length: 5000 }, (_, index) => large(index, 'Unwanted'));
    const counted = {
      *[Symbol.iterator]() {
        for (const message of messages) {
          looks += 1;
          yield message;
        }
      },
    } as unknown as typeof messages;
    oneByOne(1, counted, { types: new Set(['Large']) });
    expect(looks).toBeLessThan(2000);
  });

  it('is not meant where several tabs with one token come back together', () => {
    const { begin } = make();
    const tabs = Array.from({ length: 20 }, () => begin([large(7)]));
    expect(tabs.filter(({ offset }) => offset !== undefined)).toEqual([]);
  });

  it('is told apart by token and cursor, whoever comes in between', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ tokenId: fc.constantFrom('a', 'b', 'a 1'), cursor: fc.constantFrom('1', '1 1') }),
          {
            maxLength: 40,
          },
        ),
        (streams) => {
          const { oneByOne } = make();
          const times = new Map<string, number>();
          for (const one of streams) {
            const key = JSON.stringify(one);
            const before = (times.get(key) ?? 0) % 4;
            times.set(key, before + 1);
            expect(oneByOne(1, [large(7)], one)).toEqual([before === 3 ? 7n : undefined]);
          }
        },
      ),
    );
  });

  it('is forgotten where a thousand others have come since', () => {
    const { oneByOne } = make();
    oneByOne(3, [large(7)]);
    for (let index = 0; index < 1000; index += 1) oneByOne(1, [large(7)], { tokenId: `other${index}` });
    expect(oneByOne(1, [large(7)])).toEqual([undefined]);
  });
});
