import { AsyncLocalStorage } from 'node:async_hooks';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IngestQueue } from './ingest-queue.js';

const limits = { atOnce: 3, atOnceOfProject: 2, waitingOfProject: 4, waiting: 6, together: 0 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** `name`: of the batch. */
const batchOf = (projectId: string, events = 1, name = projectId) => ({
  projectId,
  name,
  events: Array.from({ length: events }, () => ({})),
});
type Batch = ReturnType<typeof batchOf>;

/** A queue whose batches are processed until somebody ends them. */
function make(over: Partial<typeof limits> = {}) {
  /** The names of what is processed together, in the order in which it begins. */
  const begun: string[][] = [];
  const ends: (() => void)[] = [];
  const leaves: (() => void)[] = [];
  const queue = new IngestQueue<Batch, string>({ ...limits, ...over }, async (batches, leave) => {
    begun.push(batches.map(({ name }) => name));
    leaves.push(leave);
    await new Promise<void>((resolve) => ends.push(resolve));
    return batches.map(({ name }) =>
      name.startsWith('bad')
        ? { status: 'rejected', reason: new Error(name) }
        : { status: 'fulfilled', value: name },
    );
  });
  const endAll = async (): Promise<void> => {
    for (let round = 0; round < 10; round += 1) {
      ends.splice(0).forEach((end) => end());
      await settle();
    }
  };
  return { queue, begun, ends, leaves, endAll };
}

it('serves whoever has least running, and leaves room for others', async () => {
  const { queue, begun, ends, endAll } = make();
  const run = (project: string) => queue.run(batchOf(project));
  const all = [run('a'), run('a'), run('a'), run('a')];
  await settle();
  expect(begun.flat()).toEqual(['a', 'a']);
  all.push(run('b'), run('b'));
  await settle();
  expect(begun.flat()).toEqual(['a', 'a', 'b']);
  ends.shift()?.();
  await settle();
  expect(begun.at(-1)?.[0]).toMatch(/[ab]/);
  await endAll();
  await Promise.all(all);
  expect(begun).toHaveLength(6);
});

it('refuses what would wait too long, by project and in all', async () => {
  const { queue, endAll } = make();
  const run = (project: string) => queue.run(batchOf(project));
  const taken = Array.from({ length: 6 }, () => run('a'));
  await expect(run('a')).rejects.toThrow('4 batches waiting');
  taken.push(run('b'), run('b'), run('b'));
  await expect(run('c')).rejects.toThrow('Too many batches');
  await endAll();
  await Promise.all(taken);
});

it('processes what waits of a project together, and tells each what became of it', async () => {
  const { queue, begun, endAll } = make({ waitingOfProject: 100, waiting: 100, together: 10 });
  const names = ['1', '2', '3', 'bad', '5'];
  const outcomes = Promise.allSettled([
    ...names.map((name) => queue.run(batchOf('a', 2, name))),
    queue.run(batchOf('a', 9, 'nine')),
    queue.run(batchOf('a', 1, 'one')),
    queue.run(batchOf('a', 50, 'fifty')),
  ]);
  await endAll();
  expect(begun).toEqual([['1'], ['2'], ['3', 'bad', '5'], ['nine', 'one'], ['fifty']]);
  expect(
    (await outcomes).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason))),
  ).toEqual(['1', '2', '3', 'Error: bad', '5', 'nine', 'one', 'fifty']);
});

it('does not gather more than 16 batches', async () => {
  const { queue, begun, endAll } = make({ waitingOfProject: 100, waiting: 100, together: 1000 });
  const all = Array.from({ length: 2 + 20 }, () => queue.run(batchOf('a')));
  await endAll();
  await Promise.all(all);
  expect(begun.map(({ length }) => length)).toEqual([1, 1, 16, 4]);
});

it('begins the next ones once the earlier ones have left, each in the context of its request', async () => {
  const context = new AsyncLocalStorage<string>();
  const contexts: (string | undefined)[] = [];
  const leaves: (() => void)[] = [];
  const ends: (() => void)[] = [];
  const queue = new IngestQueue<Batch, string>({ ...limits, atOnce: 1 }, async ([{ name }], leave) => {
    contexts.push(context.getStore());
    leaves.push(leave);
    await new Promise<void>((resolve) => ends.push(resolve));
    return [{ status: 'fulfilled', value: name }];
  });
  const all = ['1', '2', '3'].map((name) => context.run(name, () => queue.run(batchOf('a', 1, name))));
  expect(contexts).toEqual(['1']);
  leaves[0]?.();
  leaves[0]?.();
  expect(contexts).toEqual(['1', '2']);
  // The end of one that has left makes no room again.
  ends[0]?.();
  expect(await all[0]).toBe('1');
  expect(contexts).toEqual(['1', '2']);
  ends[1]?.();
  await all[1];
  ends[2]?.();
  expect(await Promise.all(all)).toEqual(['1', '2', '3']);
  expect(contexts).toEqual(['1', '2', '3']);
});

it('never runs more than it may, runs all that it took, and goes on after failures', async () => {
  const step = fc.record({
    project: fc.constantFrom('a', 'b', 'c'),
    turns: fc.nat(3),
    outcome: fc.constantFrom('fulfilled', 'rejected', 'throws'),
    events: fc.integer({ min: 1, max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(8), async (steps, together) => {
      const running = new Map<string, number>();
      let inAll = 0;
      const processed: number[] = [];
      interface Step extends Batch {
        readonly step: (typeof steps)[number];
        readonly number: number;
      }
      const queue = new IngestQueue<Step, number>(
        { ...limits, waitingOfProject: 100, waiting: 100, together },
        async (batches) => {
          const [{ projectId, step: first }] = batches;
          inAll += 1;
          running.set(projectId, (running.get(projectId) ?? 0) + 1);
          expect(inAll).toBeLessThanOrEqual(limits.atOnce);
          expect(running.get(projectId)).toBeLessThanOrEqual(limits.atOnceOfProject);
          expect(batches.every((one) => one.projectId === projectId)).toBe(true);
          const events = batches.reduce((sum, one) => sum + one.events.length, 0);
          expect(batches.length === 1 || events <= together).toBe(true);
          processed.push(...batches.map(({ number }) => number));
          for (let turn = 0; turn < first.turns; turn += 1) await settle();
          inAll -= 1;
          running.set(projectId, (running.get(projectId) ?? 0) - 1);
          if (batches.some((one) => one.step.outcome === 'throws')) throw new Error('as it should');
          return batches.map(({ number, step: { outcome } }) =>
            outcome === 'fulfilled'
              ? { status: 'fulfilled', value: number }
              : { status: 'rejected', reason: new Error('as it should') },
          );
        },
      );
      const outcomes = await Promise.allSettled(
        steps.map((one, number) => queue.run({ ...batchOf(one.project, one.events), step: one, number })),
      );
      expect(processed.toSorted((a, b) => a - b)).toEqual(steps.map((_, number) => number));
      for (const [number, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') expect(outcome.value).toBe(number);
        if (steps[number]?.outcome !== 'fulfilled') expect(outcome.status).toBe('rejected');
      }
      for (const project of ['a', 'b', 'c']) {
        const numbers = processed.filter((number) => steps[number]?.project === project);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
    }),
    { numRuns: 100 },
  );
});
