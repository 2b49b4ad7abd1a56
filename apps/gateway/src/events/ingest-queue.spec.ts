import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IngestQueue } from './ingest-queue.js';

const limits = { atOnce: 3, atOnceOfProject: 2, waitingOfProject: 4, waiting: 6 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

it('serves whoever has least running, and leaves room for others', async () => {
  const queue = new IngestQueue(limits);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const run = (project: string) =>
    queue.run(project, () => {
      begun.push(project);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = [run('a'), run('a'), run('a'), run('a')];
  await settle();
  expect(begun).toEqual(['a', 'a']);
  all.push(run('b'), run('b'));
  await settle();
  expect(begun).toEqual(['a', 'a', 'b']);
  ends.shift()?.();
  await settle();
  expect(begun.at(-1)).toMatch(/[ab]/);
  for (let round = 0; round < 6; round += 1) {
    ends.splice(0).forEach((end) => end());
    await settle();
  }
  await Promise.all(all);
  expect(begun).toHaveLength(6);
});

it('refuses what would wait too long, by project and in all', async () => {
  const queue = new IngestQueue(limits);
  const ends: (() => void)[] = [];
  const run = (project: string) =>
    queue.run(project, () => new Promise<void>((resolve) => ends.push(resolve)));
  const taken = Array.from({ length: 6 }, () => run('a'));
  await expect(run('a')).rejects.toThrow('4 batches waiting');
  taken.push(run('b'), run('b'), run('b'));
  await expect(run('c')).rejects.toThrow('Too many batches');
  for (let round = 0; round < 9; round += 1) {
    await settle();
    ends.splice(0).forEach((end) => end());
  }
  await Promise.all(taken);
});

it('never runs more than it may, runs all that it took, and goes on after failures', async () => {
  const step = fc.record({ project: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(3), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const queue = new IngestQueue({ ...limits, waitingOfProject: 100, waiting: 100 });
      const running = new Map<string, number>();
      let inAll = 0;
      const outcomes = await Promise.allSettled(
        steps.map(({ project, turns, fails }) =>
          queue.run(project, async () => {
            inAll += 1;
            running.set(project, (running.get(project) ?? 0) + 1);
            expect(inAll).toBeLessThanOrEqual(limits.atOnce);
            expect(running.get(project)).toBeLessThanOrEqual(limits.atOnceOfProject);
            for (let turn = 0; turn < turns; turn += 1) await settle();
            inAll -= 1;
            running.set(project, (running.get(project) ?? 0) - 1);
            if (fails) throw new Error('as it should');
          }),
        ),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(
        steps.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')),
      );
    }),
    { numRuns: 100 },
  );
});
