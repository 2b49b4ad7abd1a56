import { createNoopMeter, type BatchObservableResult, type Histogram, type Meter } from '@opentelemetry/api';
import {
  closeTable,
  control,
  refusalTable,
  type CloseReason,
  type ControlMessageOf,
  type RefusalReason,
} from '@crossfade/protocol';
import type { Loop } from './loop.js';
import type { TransportName } from './transport.js';

/** How a stream ended: a row of the close table, or `gone`: its client left. */
export type EndReason = CloseReason | 'gone';

export type ResyncReason = ControlMessageOf<'Resync'>['reason'];

/** What a round of reauthorization made of a stream; `outdated`: its rights changed while the answer was on its way. */
export type Reauthorized = 'kept' | 'changed' | 'ended' | 'outdated' | 'failed';

const zeros = <Key extends string>(keys: readonly Key[]): Record<Key, number> =>
  Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
const keysOf = <Row extends object>(table: Row) => Object.keys(table) as (keyof Row & string)[];

/**
 * What the streams of one transport and one client have done. Plain numbers, read when somebody asks: some of them
 * change with every delivery.
 */
export class StreamTally {
  opened = 0;
  /** Messages handed to sockets. */
  delivered = 0;
  /** Messages that an equal, later one took the place of, while they waited for a socket. */
  merged = 0;
  fellBehind = 0;
  caughtUp = 0;
  readonly closed = zeros<EndReason>([...keysOf(closeTable), 'gone']);
  readonly refused = zeros<RefusalReason>(keysOf(refusalTable));
  readonly resumes = zeros(control.Connected.shape.resumed.options);
  readonly resyncs = zeros(control.Resync.shape.reason.options);

  constructor(
    readonly transport: TransportName,
    readonly client: string,
  ) {}

  /** Streams that are open now. */
  get active(): number {
    return this.opened - Object.values(this.closed).reduce((sum, count) => sum + count, 0);
  }
}

/** Names of clients that are told apart; whoever comes later is `other`, so that nobody can fill a metrics store. */
const CLIENTS = 100;
const OTHER = 'other';

/** Seconds. */
const DELAYS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Every instrument, as `docs/operations/metrics.md` lists them. Names as OpenTelemetry has them; an exporter for
 * Prometheus writes dots as underscores and adds `_total` to counters.
 */
const instruments = {
  active: ['gauge', 'connections.active', '{connection}', 'Streams that are open.'],
  opened: ['counter', 'connections.opened', '{connection}', 'Streams that were opened.'],
  closed: ['counter', 'connections.closed', '{connection}', 'Streams that ended, by reason.'],
  refused: ['counter', 'connections.refused', '{connection}', 'Streams that were refused, by reason.'],
  resumes: ['counter', 'resumes', '{connection}', 'What streams that began were told of what they missed.'],
  resyncs: ['counter', 'resyncs', '{message}', 'Streams that were told to fetch, by reason.'],
  fellBehind: ['counter', 'connections.fell_behind', '{connection}', 'Streams whose queue was full.'],
  caughtUp: ['counter', 'connections.caught_up', '{connection}', 'Streams that read all they had missed.'],
  delivered: ['counter', 'messages.delivered', '{message}', 'Messages handed to sockets.'],
  merged: ['counter', 'messages.merged', '{message}', 'Messages that an equal one replaced in a queue.'],
  published: ['counter', 'messages.published', '{message}', 'Messages that the publisher took, by type.'],
  conflated: ['counter', 'messages.conflated', '{message}', 'Of these, what became one with another.'],
  revocations: ['counter', 'revocations', '{record}', 'Records of a revocation that were applied.'],
  reauthorized: ['counter', 'reauthorizations', '{connection}', 'Streams that were asked about, by outcome.'],
  drain: ['gauge', 'drain.connections', '{connection}', 'Streams of a drain, by how far they are.'],
} as const;
type InstrumentName = keyof typeof instruments;

/** What the library counts. One for each module; without a meter it counts all the same, and nobody asks. */
export class PushMetrics {
  /** The streams of a drain: not told yet, told and still here, gone. */
  readonly drain = { waiting: 0, told: 0, gone: 0 };
  readonly reauthorized = zeros<Reauthorized>(['kept', 'changed', 'ended', 'outdated', 'failed']);
  revocations = 0;
  readonly #published = new Map<string, { taken: number; conflated: number }>();
  readonly #tallies = new Map<string, StreamTally>();
  readonly #clients = new Set<string>();
  readonly #delay: Histogram;
  #handedOver: number[] = [];
  readonly #loops: Loop[] = [];

  constructor(
    meter: Meter = createNoopMeter(),
    /** Milliseconds of a clock that never steps back. */
    private readonly now: () => number = () => performance.now(),
  ) {
    const described = Object.entries(instruments).map(([key, [kind, name, unit, description]]) => {
      const make = kind === 'gauge' ? meter.createObservableUpDownCounter : meter.createObservableCounter;
      return [key, make.call(meter, `crossfade.push.${name}`, { unit, description })] as const;
    });
    const by = Object.fromEntries(described) as Record<InstrumentName, (typeof described)[number][1]>;
    meter.addBatchObservableCallback((result) => this.#observe(result, by), Object.values(by));
    this.#delay = meter.createHistogram('crossfade.push.write.delay', {
      unit: 's',
      description:
        'From publishing to the write to the last socket that took it at once, or to one that it waited for.',
      advice: { explicitBucketBoundaries: DELAYS },
    });
    const age = meter.createObservableGauge('crossfade.push.loop.age', {
      unit: 's',
      description: 'Since the last completed round of what is done again and again, by loop.',
    });
    age.addCallback((result) => {
      for (const loop of this.#loops.filter(({ isRunning }) => isRunning))
        result.observe(loop.age, { loop: loop.name });
    });
  }

  /** Shows how long ago the loop's last completed round was, while it runs. */
  watch(loop: Loop): void {
    this.#loops.push(loop);
  }

  /** Where the streams of a client are counted, whose name is as it says: `NAME/VERSION`. */
  streamsOf(transport: TransportName, client: string): StreamTally {
    const name = nameOf(client);
    if (this.#clients.size < CLIENTS) this.#clients.add(name);
    return this.#tallyOf(transport, name);
  }

  /** Whoever is refused has not been let in, and gets no name of its own. */
  refused(transport: TransportName, client: string, reason: RefusalReason): void {
    this.#tallyOf(transport, nameOf(client)).refused[reason] += 1;
  }

  published(type: string): void {
    this.#typeOf(type).taken += 1;
  }

  conflated(type: string): void {
    this.#typeOf(type).conflated += 1;
  }

  /** A record was handed to its connections: what they take at once is written when this turn ends. */
  handedOver(appendedAt: number | undefined): void {
    if (appendedAt === undefined || this.#handedOver.push(appendedAt) > 1) return;
    // After the immediate that writes, which the connections asked for before.
    setImmediate(() => {
      const now = this.now();
      const records = this.#handedOver;
      this.#handedOver = [];
      for (const at of records) this.#delay.record((now - at) / 1000, AT_ONCE);
    });
  }

  /** A live stream's socket took a record that had waited for it. */
  waited(appendedAt: number | undefined): void {
    if (appendedAt !== undefined) this.#delay.record((this.now() - appendedAt) / 1000, WAITED);
  }

  /** Of all streams together. */
  get totals(): Pick<StreamTally, 'active' | 'opened' | 'closed' | 'refused'> {
    const totals = new StreamTally('sse', '');
    for (const tally of this.#tallies.values()) {
      totals.opened += tally.opened;
      for (const key of keysOf(totals.closed)) totals.closed[key] += tally.closed[key];
      for (const key of keysOf(totals.refused)) totals.refused[key] += tally.refused[key];
    }
    return totals;
  }

  #tallyOf(transport: TransportName, name: string): StreamTally {
    const client = this.#clients.has(name) ? name : OTHER;
    const key = `${transport} ${client}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = new StreamTally(transport, client);
      this.#tallies.set(key, tally);
    }
    return tally;
  }

  #typeOf(type: string): { taken: number; conflated: number } {
    let counts = this.#published.get(type);
    if (counts === undefined) {
      counts = { taken: 0, conflated: 0 };
      this.#published.set(type, counts);
    }
    return counts;
  }

  #observe(
    result: BatchObservableResult,
    by: Record<InstrumentName, Parameters<BatchObservableResult['observe']>[0]>,
  ) {
    const observeAll = (
      of: InstrumentName,
      label: string,
      counts: Record<string, number>,
      rest: object = {},
    ) => {
      for (const [value, count] of Object.entries(counts)) {
        result.observe(by[of], count, { ...rest, [label]: value });
      }
    };
    for (const tally of this.#tallies.values()) {
      const stream = { transport: tally.transport, client: tally.client };
      for (const of of ['active', 'opened', 'fellBehind', 'caughtUp', 'delivered', 'merged'] as const) {
        result.observe(by[of], tally[of], stream);
      }
      observeAll('closed', 'reason', tally.closed, stream);
      observeAll('refused', 'reason', tally.refused, stream);
      observeAll('resumes', 'outcome', tally.resumes, stream);
      observeAll('resyncs', 'reason', tally.resyncs, stream);
    }
    for (const [type, { taken, conflated }] of this.#published) {
      result.observe(by.published, taken, { type });
      result.observe(by.conflated, conflated, { type });
    }
    result.observe(by.revocations, this.revocations);
    observeAll('reauthorized', 'outcome', this.reauthorized);
    observeAll('drain', 'state', this.drain);
  }
}

const AT_ONCE = { path: 'at_once' };
const WAITED = { path: 'waited' };

const nameOf = (client: string): string => client.split('/', 1)[0] ?? OTHER;
