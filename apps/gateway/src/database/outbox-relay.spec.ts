import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { decodeSseData } from '@crossfade/protocol';
import { ChangeType } from '@crossfade/protocol/catalog';
import { Loop, systemClock, type LogRecord } from '@crossfade/push';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { count, isNull, not, sql } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { OpenDatabase, Transaction } from './database.js';
import { observeOutbox } from './outbox-metrics.js';
import { openPostgres, PostgresServer } from './postgres-server.spec-kit.js';
import { Replica, SharedLog, type Fault } from './replica.spec-kit.js';
import { pushMessages } from './schema/push.js';
import type { Publish } from './transactions.js';

let server: PostgresServer;
let open: OpenDatabase;
const lines: string[] = [];

beforeAll(async () => {
  const note = (line: unknown): void => void lines.push(String(line));
  Logger.overrideLogger({ log: note, warn: note, error: note });
  server = await PostgresServer.start();
  open = await openPostgres(server.newDatabase());
});
afterAll(async () => {
  await open.close();
  await server.stop();
});
beforeEach(async () => {
  lines.length = 0;
  await open.database.delete(pushMessages);
});
type Kind = 'critical' | 'invalidation' | 'event';

/** Publishes a message that says `said`; events of one stack are conflated. */
function publishOne(publish: Publish, kind: Kind, said: string): void {
  const of = { organization_id: 'o', project_id: 'p', change_type: ChangeType.Saved, data: { said } };
  if (kind === 'critical')
    publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: said } });
  else if (kind === 'invalidation')
    publish({ type: 'StackChanged', message: { ...of, type: 'Stack', id: said } });
  else
    publish({
      type: 'PersistentEventChanged',
      message: { ...of, type: 'PersistentEvent', stack_id: 's', id: said },
    });
}

const commit = (replica: Replica, kinds: readonly Kind[], name = '') =>
  replica.transactions.run((_transaction, publish) => {
    for (const [index, kind] of kinds.entries()) publishOne(publish, kind, `${name}${index}`);
    return Promise.resolve();
  });

function saidBy({ data }: LogRecord): string {
  const { data: of, message } = decodeSseData(data)?.message as { data?: { said: string }; message?: string };
  return of?.said ?? message ?? '';
}
const saidIn = (log: SharedLog): string[] => log.records.map(saidBy);

/** Rows that are in no log yet, as the table has them. */
async function left(): Promise<number> {
  const [found] = await open.database
    .select({ rows: count() })
    .from(pushMessages)
    .where(isNull(pushMessages.cursor));
  return found?.rows ?? 0;
}

async function othersLeft(): Promise<number> {
  const [found] = await open.database
    .select({ rows: count() })
    .from(pushMessages)
    .where(not(pushMessages.critical));
  return found?.rows ?? 0;
}

type Step =
  | {
      readonly do: 'commit';
      readonly by: 0 | 1;
      readonly kinds: readonly Kind[];
      readonly fault: Fault | undefined;
    }
  | { readonly do: 'hold' | 'release'; readonly kinds: readonly Kind[] }
  | { readonly do: 'relay'; readonly by: readonly (0 | 1)[]; readonly fault: Fault | undefined }
  | { readonly do: 'settle' | 'lose the log' | 'find the log' };

const kinds = fc.array(fc.constantFrom<Kind>('critical', 'invalidation', 'invalidation', 'event'), {
  minLength: 1,
  maxLength: 6,
});
const fault = fc.option(
  fc.record({
    appends: fc.integer({ min: 1, max: 4 }),
    what: fc.constantFrom<Fault['what']>(
      'killed before the append',
      'killed before the removal',
      'refused',
      'unanswered',
    ),
  }),
  { nil: undefined },
);
const by = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('commit' as const), by, kinds, fault }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'release' as const), kinds }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('relay' as const),
      by: fc.uniqueArray(by, { minLength: 1 }),
      fault,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('settle' as const, 'lose the log' as const, 'find the log' as const),
    }),
  },
);

/** Two replicas that are replaced when they die, and transactions that are recorded and commit later. */
class World {
  readonly log = new SharedLog();
  readonly #replicas: Replica[] = [];
  readonly #held: { readonly release: () => void; readonly committed: Promise<void> }[] = [];
  /** Record ids, and what the messages say, by transaction. */
  readonly recorded: { readonly ids: readonly string[]; readonly said: readonly string[] }[] = [];
  #transactions = 0;

  constructor(private readonly locks: boolean) {}

  replica(which: number): Replica {
    const replica = this.#replicas[which];
    if (replica !== undefined && !replica.isDead) return replica;
    return (this.#replicas[which] = this.#watched(new Replica(open, this.log, { locks: this.locks })));
  }

  async take(next: Step): Promise<void> {
    switch (next.do) {
      case 'commit': {
        const replica = this.replica(next.by);
        replica.meets(next.fault);
        await commit(replica, next.kinds, `${++this.#transactions}:`);
        replica.meets(undefined);
        return;
      }
      case 'hold':
        return this.#hold(next.kinds);
      case 'release':
        return this.#release();
      case 'relay':
        await Promise.all(
          next.by.map(async (which, index) => {
            const replica = this.replica(which);
            replica.meets(index === 0 ? next.fault : undefined);
            await replica.relay.round(0).catch((error: unknown) => {
              if (!replica.isDead) throw error;
            });
            replica.meets(undefined);
          }),
        );
        return;
      case 'settle':
        await this.replica(0).settle();
        return this.replica(1).settle();
      default:
        this.log.isAway = next.do === 'lose the log';
    }
  }

  /** All is committed, the log is there, and nobody dies any more. */
  async end(): Promise<void> {
    this.log.isAway = false;
    while (this.#held.length > 0) await this.#release();
    for (const which of [0, 1]) await this.replica(which).settle();
    // A relay rests after a failed round.
    for (const until = performance.now() + 10_000; performance.now() < until; await wait(5)) {
      for (const which of [0, 1]) {
        await this.replica(which).relay.round(0);
        await this.replica(which).settle();
      }
      if ((await left()) + (await othersLeft()) === 0) return;
    }
  }

  /** A transaction that has recorded its messages and commits later; its replica is killed before it appends them. */
  async #hold(these: readonly Kind[]): Promise<void> {
    const replica = this.#watched(new Replica(open, this.log));
    const name = `${++this.#transactions}:`;
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const recorded = new Promise<void>((resolve) => {
      const { record } = replica.outbox;
      replica.outbox.record = async (...given) => {
        const ids = await record.apply(replica.outbox, given);
        resolve();
        await gate;
        return ids;
      };
    });
    replica.meets({ appends: 1, what: 'killed before the append' });
    const committed = commit(replica, these, name);
    await recorded;
    this.#held.push({ release, committed });
  }

  async #release(): Promise<void> {
    const held = this.#held.pop();
    held?.release();
    await held?.committed;
  }

  /** Notes what a replica's transactions record. */
  #watched(replica: Replica): Replica {
    const { record } = replica.outbox;
    replica.outbox.record = async (transaction, told) => {
      const ids = await record.call(replica.outbox, transaction, told);
      this.recorded.push({
        ids: ids.flatMap((id) => id ?? []),
        said: told.flatMap(({ stamped }) =>
          stamped === undefined || stamped.type === 'PersistentEventChanged'
            ? []
            : saidBy(stamped as LogRecord),
        ),
      });
      return ids;
    };
    return replica;
  }
}

describe('two replicas, of which any may be killed at any moment', () => {
  it.each([
    { relays: 'one relay at a time', locks: true, numRuns: 30 },
    { relays: 'two relays at once', locks: false, numRuns: 60 },
  ])(
    'lose nothing, repeat nothing and keep the order of a transaction, with $relays',
    async ({ locks, numRuns }) => {
      let rows = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
          await open.database.delete(pushMessages);
          const world = new World(locks);
          for (const next of steps) await world.take(next);
          rows += await left();
          await world.end();
          const said = saidIn(world.log);
          const inLog = new Set(world.log.ids);
          for (const { ids, said: own } of world.recorded) {
            expect(
              ids.filter((id) => !inLog.has(id)),
              'lost',
            ).toEqual([]);
            const mine = new Set(own);
            expect(
              said.filter((one) => mine.has(one)),
              'in order, each once',
            ).toEqual(own);
          }
          expect([await left(), await othersLeft()]).toEqual([0, 0]);
        }),
        { numRuns },
      );
      // It would prove nothing if there were nothing left to relay.
      expect(rows).toBeGreaterThan(numRuns);
    },
  );
});

describe('what a replica left in the outbox', () => {
  const make = () => {
    const log = new SharedLog();
    return { log, maker: new Replica(open, log), other: new Replica(open, log) };
  };
  const leave = async (maker: Replica, these: readonly Kind[], name = '') => {
    maker.meets({ appends: 1, what: 'killed before the append' });
    await commit(maker, these, name);
  };

  /** The loops of replicas, while something is done and until the log has so many records. @returns how many seconds that took */
  async function relayedIn(
    replicas: readonly Replica[],
    log: SharedLog,
    records: number,
    leaves: () => Promise<void>,
  ) {
    const options = { name: 'outbox', intervalMs: 500, deadlineMs: 5000, clock: systemClock };
    const loops = replicas.map(
      ({ relay }) => new Loop({ ...options, onError: () => undefined }, () => relay.round()),
    );
    for (const loop of loops) loop.start();
    await wait(Math.random() * 500);
    await leaves();
    const committed = performance.now();
    while (log.records.length < records && performance.now() - committed < 10_000) await wait(10);
    for (const loop of loops) loop.stop();
    return (performance.now() - committed) / 1000;
  }

  it('is in the log within two seconds of its commit, by the loops of all others', async () => {
    const { log, maker, other } = make();
    const relays = [other, new Replica(open, log)];
    const seconds = await relayedIn(relays, log, 3, () =>
      leave(maker, ['critical', 'invalidation', 'invalidation']),
    );
    expect(saidIn(log)).toEqual(['0', '1', '2']);
    expect(seconds).toBeLessThan(2);
    // Its replica is given a second for it.
    expect(seconds).toBeGreaterThan(0.9);
    expect(relays.reduce((sum, { relay: { appended } }) => sum + appended, 0)).toBe(3);
  });

  it('is in the log soon though its replica, cut off from the log, tries to relay it, too', async () => {
    const { log, maker, other } = make();
    const seconds = await relayedIn([maker, other], log, 1, () => {
      maker.isCutOff = true;
      void commit(maker, ['invalidation']);
      return Promise.resolve();
    });
    expect(seconds).toBeLessThan(3);
    // It does not keep the others from relaying: most of the time it holds no lock.
    const begun = performance.now();
    let held = 0;
    await leave(new Replica(open, log), ['invalidation']);
    for (let round = 0; performance.now() - begun < 3000; round += 1) {
      const before = performance.now();
      await maker.relay.round(0);
      held += performance.now() - before > 400 ? 1 : 0;
      await wait(100);
    }
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(2);
  });

  it('is not what a long transaction has recorded just now', async () => {
    const { log, maker, other } = make();
    maker.meets({ appends: 1, what: 'killed before the append' });
    await maker.transactions.run(async (transaction, publish) => {
      await transaction.execute(sql`SELECT 1`);
      await wait(1200);
      publishOne(publish, 'invalidation', 'late');
    });
    await other.relay.round();
    expect(log.records).toEqual([]);
    await other.relay.round(0);
    expect(saidIn(log)).toEqual(['late']);
  });

  it('is appended by one relay at a time, whose lock ends with its transaction', async () => {
    const { log, maker, other } = make();
    await leave(maker, ['invalidation']);
    const third = new Replica(open, log);
    await other.outbox.asOnlyRelay(async () => {
      await third.relay.round(0);
      expect(log.records).toEqual([]);
    });
    await expect(other.outbox.asOnlyRelay(() => Promise.reject(new Error('killed')))).rejects.toThrow(
      'killed',
    );
    await third.relay.round(0);
    expect(log.records).toHaveLength(1);
  });

  it.each([
    { what: 'killed before the append' as const, records: [['0'], ['1'], ['2'], ['3']], relayed: 3 },
    { what: 'killed before the removal' as const, records: [['0'], ['1', '2', '3']], relayed: 3 },
  ])(
    'of three transactions that were conflated into one record, $what, is there once',
    async ({ what, records, relayed }) => {
      const { log, maker, other } = make();
      const ids: string[] = [];
      const { record } = maker.outbox;
      maker.outbox.record = async (...given) => {
        const recorded = await record.apply(maker.outbox, given);
        ids.push(...recorded.flatMap((id) => id ?? []));
        return recorded;
      };
      for (const name of ['0', '1', '2', '3']) await commit(maker, ['event'], name);
      await maker.outbox.close();
      maker.meets({ appends: 1, what });
      await maker.clock.advanceAsync(250);
      await maker.clock.advanceAsync(0);
      expect(maker.isDead).toBe(true);
      expect(await othersLeft()).toBe(3);
      for (let round = 0; round < 2; round += 1) {
        await other.relay.round(0);
        await other.settle();
      }
      expect(log.records.map(({ recordIds = [] }) => recordIds.map((id) => String(ids.indexOf(id))))).toEqual(
        records,
      );
      expect(other.relay.appended).toBe(relayed);
      expect(await othersLeft()).toBe(0);
    },
  );

  it('is one row for what one transaction made stale, and is removed once all of it is in the log', async () => {
    const { log, maker, other } = make();
    maker.meets({ appends: 3, what: 'killed before the append' });
    await commit(maker, ['invalidation', 'invalidation', 'event', 'invalidation']);
    expect([log.records.length, await othersLeft()]).toEqual([2, 1]);
    await other.relay.round(0);
    await other.settle();
    expect(saidIn(log)).toEqual(['0', '1', '2', '3']);
    expect(await othersLeft()).toBe(0);
  });

  it('is recorded before the last work of a transaction, and what that publishes behind it', async () => {
    const { log, maker } = make();
    const recorded: number[] = [];
    const note = async (transaction: Transaction) =>
      recorded.push((await transaction.select().from(pushMessages)).length);
    await maker.transactions.run(
      async (transaction, publish) => {
        publishOne(publish, 'critical', 'first');
        await note(transaction);
      },
      {
        last: async (transaction, publish) => {
          await note(transaction);
          publishOne(publish, 'critical', 'last');
        },
        onCommit: () => recorded.push(log.records.length),
      },
    );
    expect(recorded).toEqual([0, 1, 0]);
    expect(saidIn(log)).toEqual(['first', 'last']);
    expect(log.ids).toHaveLength(2);
  });

  it('is all appended in one round, however much it is', async () => {
    const { log, maker, other } = make();
    for (let row = 0; row < 100; row += 1)
      await maker.outbox.record(open.database, [{ id: randomUUID(), stamped: stampOf(maker, `row ${row}`) }]);
    await other.relay.round(0);
    expect(saidIn(log)).toEqual(Array.from({ length: 100 }, (_, row) => `row ${row}`));
  });

  it('stays while the log is away, is logged once, and follows when the log is back', async () => {
    const { log, maker, other } = make();
    log.isAway = true;
    for (let times = 0; times < 20; times += 1)
      await commit(maker, ['invalidation', 'critical'], `${times}:`);
    for (let rounds = 0; rounds < 5; rounds += 1) await other.relay.round(0);
    expect(await left()).toBe(40);
    // Once by each replica.
    expect(lines.filter((line) => line.startsWith('The log takes no messages'))).toHaveLength(2);
    const { rows, ageSeconds } = await other.outbox.backlog();
    expect(rows).toBe(40);
    expect(ageSeconds).toBeGreaterThan(0);
    log.isAway = false;
    await wait(50);
    await other.relay.round(0);
    await other.settle();
    expect(saidIn(log)).toEqual(
      Array.from({ length: 20 }, (_, times) => [`${times}:0`, `${times}:1`]).flat(),
    );
    expect(await other.outbox.backlog()).toEqual({ rows: 0, ageSeconds: 0 });
  });

  it('moves the metrics', async () => {
    const { maker, other } = make();
    const reader = new PrometheusExporter({ preventServerStart: true });
    const provider = new MeterProvider({ readers: [reader] });
    observeOutbox(provider.getMeter('test'), other.outbox, other.relay);
    const values = async () => {
      const { scopeMetrics } = (await reader.collect()).resourceMetrics;
      const metrics = scopeMetrics.flatMap((scope) => scope.metrics);
      return new Map(metrics.map(({ descriptor, dataPoints: [point] }) => [descriptor.name, point?.value]));
    };
    const name = 'crossfade.gateway.outbox';
    expect([...(await values())]).toEqual([
      [`${name}.depth`, 0],
      [`${name}.age`, 0],
      [`${name}.relayed`, 0],
    ]);
    await leave(maker, ['critical', 'invalidation', 'invalidation']);
    const before = await values();
    expect([before.get(`${name}.depth`), before.get(`${name}.relayed`)]).toEqual([2, 0]);
    expect(before.get(`${name}.age`)).toBeGreaterThan(0);
    await other.relay.round(0);
    await other.settle();
    const after = await values();
    expect([after.get(`${name}.depth`), after.get(`${name}.age`), after.get(`${name}.relayed`)]).toEqual([
      0, 0, 3,
    ]);
    await provider.shutdown();
  });

  it('holds up nothing behind it if it cannot be read, and is logged once, without its content', async () => {
    const { log, maker, other } = make();
    const id = randomUUID();
    await open.database
      .insert(pushMessages)
      .values({ recordId: id, message: '{"type":"secret"}', critical: false });
    await leave(maker, ['invalidation']);
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await other.relay.round(0);
      await other.settle();
    }
    expect(saidIn(log)).toEqual(['0']);
    expect(await othersLeft()).toBe(1);
    const said = lines.filter((line) => line.includes('push_messages'));
    expect(said).toEqual([expect.stringMatching(/^Row \d+ of push_messages cannot be read/)]);
    expect(said[0]).not.toContain('secret');
  });
});

/** A message as a replica stamps it. */
function stampOf(replica: Replica, said: string) {
  return replica.publisher.prepare({
    type: 'SystemNotification',
    message: { date: '2026-01-01T00:00:00Z', message: said },
  }).stamped;
}
