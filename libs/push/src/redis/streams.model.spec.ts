import { randomInt } from 'node:crypto';
import type { catalog } from '@crossfade/protocol/catalog';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock, type Clock } from '../clock.js';
import type { StampedMessage } from '../log.js';
import type { Push } from '../push.js';
import { settled } from '../scripted.spec-kit.js';
import { keepEveryPromise } from '../streams.promises.spec-kit.js';
import { replicaStepsOf, stepsOf, type ReplicaStep, type Step } from '../streams.steps.spec-kit.js';
import { LIMITS, World, type Client } from '../streams.world.spec-kit.js';
import { RedisConnection } from './connection.js';
import { cursorOf, entryIdOf } from './entry.js';
import { entryNumber } from './entry-id.js';
import { KeptJournal } from './kept-journal.spec-kit.js';
import { RedisMessageLog } from './log.js';
import { Cable, RedisServer } from './redis-server.spec-kit.js';

/*
 * The same histories over two replicas that share a log, and what happens only there: clients move, a reader is cut off, a
 * replica is restarted, the log is lost.
 */

const REPLICAS = 2;
/** A history here takes as long as fifteen of one process. */
const RUNS = Math.ceil(Number(process.env['MODEL_RUNS'] ?? 3000) / 15);
const SEED = Number(process.env['MODEL_SEED'] ?? randomInt(2 ** 31));
/** Where clients miss no critical message, whatever happens. */
const PLENTY = 1000;
/** Keys of a log, after `{PREFIX}:log`. */
const KEYS = ['', ':criticals', ':doubles', ':ids', ':state'];

/** A clock that is fifty times as fast, for the log's pauses. */
const fastClock: Clock = {
  now: () => systemClock.now(),
  elapsed: () => systemClock.elapsed() * 50,
  after: (milliseconds, call) => systemClock.after(milliseconds / 50, call),
};

let redis: RedisServer;
/** For what the test itself asks. */
let observer: RedisConnection;
let cables: Cable[];
/** Of each replica, for all histories: to open a connection takes longer than a history. */
let commands: RedisConnection[];
let readers: RedisConnection[];
let histories = 0;

beforeAll(async () => {
  redis = await RedisServer.start('--appendonly', 'no');
  observer = await redis.connect();
  cables = await Promise.all(Array.from({ length: REPLICAS }, () => Cable.to(redis.port)));
  commands = await Promise.all(cables.map(() => redis.connect()));
  readers = await Promise.all(cables.map(({ port }) => redis.connect(undefined, port)));
});
afterAll(async () => {
  await Promise.all([observer, ...commands, ...readers].map((connection) => connection.close()));
  await Promise.all(cables.map((cable) => cable.stop()));
  await redis.stop();
});

/** A process of ours: it is started, cut off, stopped and started again. */
interface Node {
  readonly push: Push<typeof catalog>;
  readonly log: RedisMessageLog;
  readonly cable: Cable;
  isCutOff: boolean;
  /** Whether it is going on behind a hole. */
  isSkipping: boolean;
}

interface Setting {
  readonly hasJournal: boolean;
  readonly criticalCapacity: number;
}

class TwoReplicas extends World {
  readonly #prefix = `history${(histories += 1)}`;
  readonly #journal: KeptJournal | undefined;
  readonly #nodes: Node[] = [];
  /** In the order in which they began. The first are those of positions before all logs. */
  readonly #epochs: string[] = ['--------'];
  #records = 0;
  holes = 0;

  constructor(private readonly setting: Setting) {
    super();
    this.#journal = setting.hasJournal ? new KeptJournal() : undefined;
  }

  get replicas(): readonly Push<typeof catalog>[] {
    return this.#nodes.map(({ push }) => push);
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: REPLICAS }, (_, on) => this.#startReplica(on)));
  }

  mayMiss({ isTruncated }: Client, { data }: StampedMessage): boolean {
    // One that its client cannot read.
    if (data.length > 4096) return isTruncated;
    return isTruncated && !(this.setting.hasJournal && this.setting.criticalCapacity === PLENTY);
  }

  async take(step: Step | ReplicaStep): Promise<void> {
    switch (step.do) {
      case 'replace': {
        const who = this.client(step.client);
        this.tick += 1;
        if (who.connectionId === undefined) return;
        return this.open(who, step.on, who.last, who.connectionId);
      }
      case 'cutOff':
        return this.#cutOff(this.#node(step.on), step.cable);
      case 'mend':
        return this.#mend(this.#node(step.on));
      case 'restart':
        return this.#restart(step.on);
      case 'flush':
        return this.#flush();
      case 'outage': {
        await this.do(step);
        // Whoever has found a hole meanwhile asks again after a second.
        if (!step.is) await this.clock.advanceAsync(1000);
        return;
      }
      default:
        return this.do(step);
    }
  }

  override async settle(): Promise<void> {
    while (this.sending.size > 0) await Promise.all(this.sending);
    await this.#read();
    await super.settle();
  }

  override async finish(): Promise<void> {
    for (const node of this.#nodes) this.#mend(node);
    await super.finish();
  }

  override async end() {
    const found = await super.end();
    for (const { push } of this.#nodes) await push.close();
    await this.#wake();
    await observer.send('', ['DEL', ...this.#keys]);
    return found;
  }

  protected override record(message: StampedMessage | undefined): string | undefined {
    const recordId = `r${(this.#records += 1)}`;
    if (message !== undefined) this.#journal?.record({ ...message, recordIds: [recordId] });
    return recordId;
  }

  protected orderOf(cursor: string): bigint | undefined {
    const number = entryNumber(entryIdOf(cursor));
    if (number === undefined) return undefined;
    const epoch = cursor.slice(0, 8);
    if (!this.#epochs.includes(epoch)) this.#epochs.push(epoch);
    return (BigInt(this.#epochs.indexOf(epoch)) << 128n) | number;
  }

  protected async readAll(): Promise<void> {
    await this.settle();
  }

  protected override async passing(waiting: Promise<void>, on: number): Promise<void> {
    let isDone = false;
    const done = waiting.finally(() => (isDone = true));
    while (!isDone) {
      await observer.send('', ['PING']);
      // It waits for what this replica cannot read now.
      if (!isDone && this.#isAway(this.#node(on))) await this.clock.advanceAsync(500);
    }
    return done;
  }

  protected override expects(doing: string): boolean {
    const isOfReplicas =
      doing === 'reading the log' ||
      doing === 'closing the log' ||
      doing === 'reauthorizing every stream after a hole in the log';
    return isOfReplicas || super.expects(doing);
  }

  get #keys(): string[] {
    return KEYS.map((rest) => `{${this.#prefix}}:log${rest}`);
  }

  #node(on: number): Node {
    const node = this.#nodes[on];
    if (node === undefined) throw new Error('no such replica');
    return node;
  }

  async #startReplica(on: number): Promise<void> {
    const [cable, ownCommands, reader] = [cables[on], commands[on], readers[on]];
    if (cable === undefined || ownCommands === undefined || reader === undefined)
      throw new Error('no such replica');
    const { criticalCapacity } = this.setting;
    const log = new RedisMessageLog({
      commands: ownCommands,
      reader,
      prefix: this.#prefix,
      journal: this.#journal,
      capacity: LIMITS.windowCapacity,
      criticalCapacity,
      criticalRetentionSeconds: 1e6,
      clock: fastClock,
      onError: (_error, doing) => this.errors.push(doing),
    });
    const push = this.make(log, { ...LIMITS, criticalCapacity });
    const node: Node = { push, log, cable, isCutOff: false, isSkipping: false };
    this.#watch(node);
    await this.startOf(push);
    this.#nodes[on] = node;
  }

  /** Notes when it goes on behind a hole. */
  #watch(node: Node): void {
    const follow = node.log.follow.bind(node.log);
    node.log.follow = (follower) =>
      follow({
        record: (record) => follower.record(record),
        hole: async (hole) => {
          this.holes += 1;
          node.isSkipping = true;
          await follower.hole(hole);
          node.isSkipping = false;
        },
      });
  }

  #cutOff(node: Node, how: 'cut' | 'held'): void {
    node.isCutOff = true;
    if (how === 'cut') node.cable.cut();
    else node.cable.hold();
  }

  #mend(node: Node): void {
    node.isCutOff = false;
    node.cable.mend();
    node.cable.release();
  }

  async #restart(on: number): Promise<void> {
    this.tick += 1;
    while (this.sending.size > 0) await Promise.all(this.sending);
    for (const who of this.clients) if (who.on === on) this.cut(who);
    const node = this.#node(on);
    for (const loop of node.push.parts.loops) loop.stop();
    this.#mend(node);
    await node.push.close();
    await this.#wake();
    await this.#startReplica(on);
  }

  /** Redis loses the log, with what nobody has read yet. */
  async #flush(): Promise<void> {
    this.tick += 1;
    while (this.sending.size > 0) await Promise.all(this.sending);
    await observer.send('', ['DEL', ...this.#keys]);
    await this.#wake();
  }

  /** Whether it reads nothing on just now, whatever the log has. */
  #isAway({ isCutOff, isSkipping }: Node): boolean {
    return isCutOff || (isSkipping && this.isOut);
  }

  /** Waits until every replica that can has read all that the log has. */
  async #read(): Promise<void> {
    const state = `{${this.#prefix}}:log:state`;
    const begun = systemClock.elapsed();
    for (let tries = 1; ; tries += 1) {
      const [epoch, last] = (await observer.send(state, ['HMGET', state, 'epoch', 'last'])) as string[];
      const head = cursorOf(epoch ?? '', last ?? '0-0');
      const isBehind = (node: Node): boolean =>
        !this.#isAway(node) && node.push.parts.delivery.head.cursor !== head;
      if (!this.#nodes.some(isBehind)) return;
      if (tries % 20 === 0) await this.#wake();
      if (systemClock.elapsed() - begun > 10_000) throw new Error('a replica does not read on');
      await settled();
    }
  }

  /** Reads that wait for a record end now, not after a second. */
  async #wake(): Promise<void> {
    const clients = String(await observer.send('', ['CLIENT', 'LIST', 'TYPE', 'normal']));
    for (const line of clients.split('\n')) {
      const id = /^id=(\d+) .* flags=b /.exec(line)?.[1];
      if (id !== undefined) await observer.send('', ['CLIENT', 'UNBLOCK', id]);
    }
  }
}

it(`keeps every promise through ${RUNS} random histories of ${REPLICAS} replicas (seed ${SEED})`, async () => {
  const setting = fc.record({
    hasJournal: fc.boolean(),
    criticalCapacity: fc.constantFrom(LIMITS.criticalCapacity, PLENTY),
  });
  const step: fc.Arbitrary<Step | ReplicaStep> = fc.oneof(
    { weight: 5, arbitrary: stepsOf(REPLICAS) },
    { weight: 1, arbitrary: replicaStepsOf(REPLICAS) },
  );
  const steps = fc.array(step, { minLength: 10, maxLength: 80, size: 'max' });
  let holes = 0;
  const tally = await keepEveryPromise(
    fc.tuple(setting, steps),
    (one) => new TwoReplicas(one),
    async (world, one) => {
      await world.take(one);
      holes += world.holes;
      world.holes = 0;
    },
    { runs: RUNS, seed: SEED },
  );
  // Histories that never lose anything would prove nothing.
  const { published, resyncs, unconfirmed, stale, tooLarge, moved, restarted } = tally;
  expect(published).toBeGreaterThan(RUNS);
  expect(unconfirmed).toBeGreaterThan(RUNS / 200);
  for (const count of [resyncs, stale, tooLarge, moved, restarted, holes])
    expect(count).toBeGreaterThan(RUNS / 50);
}, 7_200_000);
