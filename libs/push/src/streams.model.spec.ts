import { randomInt } from 'node:crypto';
import { catalog } from '@crossfade/protocol/catalog';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Push } from './push.js';
import { keepEveryPromise } from './streams.promises.spec-kit.js';
import { stepsOf } from './streams.steps.spec-kit.js';
import { World, type Client } from './streams.world.spec-kit.js';

/*
 * Random histories of everything that happens to the streams of one process, against a plain model.
 */

const RUNS = Number(process.env['MODEL_RUNS'] ?? 3000);
const SEED = Number(process.env['MODEL_SEED'] ?? randomInt(2 ** 31));

class OneProcess extends World {
  readonly #push = this.make(undefined);
  readonly replicas: readonly Push<typeof catalog>[] = [this.#push];

  start(): Promise<void> {
    return this.startOf(this.#push);
  }

  mayMiss({ isTruncated }: Client): boolean {
    return isTruncated;
  }

  protected orderOf(cursor: string): bigint | undefined {
    const offset = this.#push.parts.log.locate(cursor);
    return typeof offset === 'bigint' ? offset : undefined;
  }

  protected async readAll(): Promise<void> {
    const { log, delivery } = this.#push.parts;
    const newest = await log.newest();
    while (delivery.head.offset < newest) await this.settle();
  }
}

it(`keeps every promise through ${RUNS} random histories (seed ${SEED})`, async () => {
  const steps = fc.array(stepsOf(1), { minLength: 10, maxLength: 80, size: 'max' });
  const { published, resyncs, unconfirmed, stale, tooLarge } = await keepEveryPromise(
    fc.tuple(fc.constant(undefined), steps),
    () => new OneProcess(),
    (world, step) => world.do(step),
    { runs: RUNS, seed: SEED },
  );
  // Histories that never lose anything would prove nothing.
  expect(resyncs).toBeGreaterThan(RUNS / 50);
  expect(published).toBeGreaterThan(RUNS);
  expect(unconfirmed).toBeGreaterThan(RUNS / 50);
  expect(stale).toBeGreaterThan(RUNS / 50);
  expect(tooLarge).toBeGreaterThan(RUNS / 50);
}, 600_000);
