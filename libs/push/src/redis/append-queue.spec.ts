import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppendQueue } from './append-queue.js';
import type { Appended } from './entry.js';

const message = (key: string, characters = 1): Appended => ({
  type: 'T',
  data: 'x'.repeat(characters),
  audience: [],
  delivery: 'invalidation',
  key,
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A queue before a script whose runs the test ends. */
function queue() {
  const runs: { keys: string[]; end: (error?: Error) => void }[] = [];
  const appended: string[] = [];
  const appends = new AppendQueue(
    (messages) =>
      new Promise((resolve, reject) => {
        const keys = messages.map(({ key = '' }) => key);
        runs.push({
          keys,
          end: (error) => {
            if (error !== undefined) return reject(error);
            appended.push(...keys);
            resolve(keys.map((id) => ({ outcome: 'appended', epoch: 'e', id })));
          },
        });
      }),
  );
  const add = (key: string, characters?: number) =>
    appends.add(message(key, characters)).then(
      (outcome) => outcome.outcome === 'appended' && outcome.id,
      () => 'failed' as const,
    );
  return { add, runs, appended };
}

describe('appends', () => {
  it('of one turn go into one script, and those made while it runs into the next', async () => {
    const { add, runs } = queue();
    const first = [add('a'), add('b')];
    await turn();
    const second = [add('c'), add('d')];
    await turn();
    expect(runs.map(({ keys }) => keys)).toEqual([['a', 'b']]);
    runs[0]?.end();
    expect(await Promise.all(first)).toEqual(['a', 'b']);
    await turn();
    expect(runs.map(({ keys }) => keys)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    runs[1]?.end();
    expect(await Promise.all(second)).toEqual(['c', 'd']);
  });

  it('are divided when they are many or large, but never a message', async () => {
    const { add, runs } = queue();
    for (let index = 0; index < 129; index += 1) void add('small');
    for (const key of ['large', 'larger']) void add(key, 200 * 1024);
    void add('huge', 2 * 1024 * 1024);
    for (let index = 0; index < 4; index += 1) {
      await turn();
      runs[index]?.end();
    }
    await turn();
    expect(runs.map(({ keys }) => [keys.length, keys.at(-1)])).toEqual([
      [128, 'small'],
      [2, 'large'],
      [1, 'larger'],
      [1, 'huge'],
    ]);
  });

  it('come out in order, each once, and none of a turn whose earlier one failed', async () => {
    const step = fc.oneof(
      fc.record({ adds: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ fails: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { add, runs, appended } = queue();
        const turns: Promise<string | false>[][] = [];
        let added = 0;
        let ended = 0;
        const end = async (fails: boolean) => {
          const run = runs[ended];
          if (run === undefined) return;
          ended += 1;
          run.end(fails ? new Error('full') : undefined);
          await turn();
        };
        for (const one of steps) {
          if ('adds' in one) turns.push(Array.from({ length: one.adds }, () => add(String((added += 1)))));
          await turn();
          if ('fails' in one) await end(one.fails);
        }
        while (ended < runs.length) await end(false);
        const outcomes = await Promise.all(turns.map((one) => Promise.all(one)));
        expect(appended).toEqual([...appended].sort((a, b) => Number(a) - Number(b)));
        expect(outcomes.flat().filter((one) => one !== 'failed')).toEqual(appended);
        for (const one of outcomes) {
          const failed = one.indexOf('failed');
          if (failed !== -1) expect(new Set(one.slice(failed))).toEqual(new Set(['failed']));
        }
      }),
    );
  });
});
