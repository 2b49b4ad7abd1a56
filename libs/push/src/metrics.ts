import { createNoopMeter, type BatchObservableResult, type Histogram, type Meter } from '@opentelemetry/api';
import { closeTable, control, refusalTable, type CloseReason, type RefusalReason } from '@crossfade/protocol';
import type { HoleKind, Lag } from './log.js';
import type { Loop } from './loop.js';
import type { TransportName } from './transport.js';

/** How a stream ended: a row of the close table, or `gone`: its client disconnected. */
export type EndReason = CloseReason | 'gone';

/** What a round of reauthorization did with a stream. `outdated`: its rights changed before the answer came. */
export type Reauthorized = 'kept' | 'changed' | 'ended' | 'outdated' | 'failed';

/** What became of a lease that was acquired again. `replaced`: its successor on another replica holds it. */
type Reacquired = 'kept' | 'lost' | 'replaced';

const zeros = <Key extends string>(keys: readonly Key[]): Record<Key, number> =>
  Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
const keysOf = <Row extends object>(table: Row) => Object.keys(table) as (keyof Row & string)[];

/**
 * What the streams of one transport and one client have done. Plain numbers, read only when metrics are collected: some
 * of them change with every delivery.
 */
export class StreamTally {
  opened = 0;
  /** Messages handed to sockets. */
  delivered = 0;
  /** Messages that were merged into a later, equal one while they waited for a socket. */
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

/** Names of clients that are told apart. Later ones are `other`, so that nobody can fill a metrics store. */
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
  resumes: ['counter', 'resumes', '{connection}', 'Streams that began, by how they resumed.'],
  resyncs: ['counter', 'resyncs', '{message}', 'Streams that were told to refetch, by reason.'],
  fellBehind: ['counter', 'connections.fell_behind', '{connection}', 'Streams whose queue was full.'],
  caughtUp: ['counter', 'connections.caught_up', '{connection}', 'Streams that have caught up.'],
  delivered: ['counter', 'messages.delivered', '{message}', 'Messages handed to sockets.'],
  merged: ['counter', 'messages.merged', '{message}', 'Messages merged into an equal one in a write queue.'],
  published: ['counter', 'messages.published', '{message}', 'Messages that the publisher took, by type.'],
  conflated: [
    'counter',
    'messages.conflated',
    '{message}',
    'Published messages that became one with another.',
  ],
  revocations: ['counter', 'revocations', '{record}', 'Records of a revocation that were applied.'],
  reauthorized: [
    'counter',
    'reauthorizations',
    '{connection}',
    'Streams that the authenticator was asked about again, by outcome.',
  ],
  holes: ['counter', 'log.holes', '{hole}', 'Holes that were found in the log, by kind.'],
  lagRecords: ['gauge', 'log.lag.records', '{record}', 'Records that this process has not handed over yet.'],
  lagSeconds: ['gauge', 'log.lag.seconds', 's', 'For how long it has not handed over all of the log.'],
  lapses: [
    'counter',
    'leases.lapses',
    '{lapse}',
    'Times that all leases lapsed, since heartbeats were missing.',
  ],
  reacquired: ['counter', 'leases.reacquisitions', '{lease}', 'Leases that were acquired again, by outcome.'],
  unreleased: [
    'gauge',
    'leases.unreleased',
    '{lease}',
    'Leases whose release failed, and is made good later.',
  ],
  drain: ['gauge', 'drain.connections', '{connection}', 'Streams of a drain, by state.'],
} as const;
type InstrumentName = keyof typeof instruments;

/** What the library counts. Without a meter, it counts all the same and nobody collects it. */
export class PushMetrics {
  /** The streams of a drain: not told yet, told and still open, ended. */
  readonly drain = { waiting: 0, told: 0, gone: 0 };
  readonly reauthorized = zeros<Reauthorized>(['kept', 'changed', 'ended', 'outdated', 'failed']);
  revocations = 0;
  readonly holes = zeros<HoleKind>(['trimmed', 'flushed', 'replaced', 'went_back', 'broken']);
  /** Of a lease store that replicas share. */
  readonly leases = {
    lapses: 0,
    reacquired: zeros<Reacquired>(['kept', 'lost', 'replaced']),
    unreleased: 0,
  };
  readonly #published = new Map<string, { taken: number; conflated: number }>();
  readonly #tallies = new Map<string, StreamTally>();
  readonly #clients = new Set<string>();
  readonly #delay: Histogram;
  readonly #append: Histogram;
  /** Of the log that is read. */
  lag: () => Lag = () => ({ records: 0, seconds: 0 });
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
        'From publishing a message to its write: to the last socket that took it at once, or to one it waited for.',
      advice: { explicitBucketBoundaries: DELAYS },
    });
    this.#append = meter.createHistogram('crossfade.push.log.append.duration', {
      unit: 's',
      description: 'Of appending a message to the log, until it has a cursor, by outcome.',
      advice: { explicitBucketBoundaries: DELAYS },
    });
    const age = meter.createObservableGauge('crossfade.push.loop.age', {
      unit: 's',
      description: 'Since the last completed round of a loop, by loop.',
    });
    age.addCallback((result) => {
      for (const loop of this.#loops.filter(({ isRunning }) => isRunning))
        result.observe(loop.age, { loop: loop.name });
    });
  }

  /** Measures the loop's age while it runs. */
  watch(loop: Loop): void {
    this.#loops.push(loop);
  }

  /** Where the streams of a client are counted. `client`: as it says, `NAME/VERSION`. */
  streamsOf(transport: TransportName, client: string): StreamTally {
    const name = nameOf(client);
    if (this.#clients.size < CLIENTS) this.#clients.add(name);
    return this.#tallyOf(transport, name);
  }

  /** A refused client is not authenticated, so it gets no series of its own. */
  refused(transport: TransportName, client: string, reason: RefusalReason): void {
    this.#tallyOf(transport, nameOf(client)).refused[reason] += 1;
  }

  published(type: string): void {
    this.#typeOf(type).taken += 1;
  }

  conflated(type: string): void {
    this.#typeOf(type).conflated += 1;
  }

  /** A message was appended to the log, or was not, since `begun`, of the clock that never steps back. */
  appended(begun: number, outcome: 'appended' | 'failed'): void {
    this.#append.record((this.now() - begun) / 1000, { outcome });
  }

  /** A record was handed over to its connections, which write it when this turn ends. */
  handedOver(appendedAt: number | undefined): void {
    if (appendedAt === undefined || this.#handedOver.push(appendedAt) > 1) return;
    // Runs after the immediate that writes: the connections scheduled that before.
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
    observeAll('holes', 'kind', this.holes);
    const lag = this.lag();
    result.observe(by.lagRecords, lag.records);
    result.observe(by.lagSeconds, lag.seconds);
    result.observe(by.lapses, this.leases.lapses);
    observeAll('reacquired', 'outcome', this.leases.reacquired);
    result.observe(by.unreleased, this.leases.unreleased);
    observeAll('drain', 'state', this.drain);
  }
}

const AT_ONCE = { path: 'at_once' };
const WAITED = { path: 'waited' };

const nameOf = (client: string): string => client.split('/', 1)[0] ?? OTHER;
