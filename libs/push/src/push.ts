import type { Catalog } from '@crossfade/protocol';
import { Admission } from './admission.js';
import { Budgets } from './budgets.js';
import { Connections } from './connections.js';
import { Delivery } from './delivery.js';
import { Drain } from './drain.js';
import { Effects } from './effects.js';
import type { Environment } from './environment.js';
import { Fleet } from './fleet.js';
import { HoleRecovery } from './hole-recovery.js';
import { Hub } from './hub.js';
import { KeepAlive } from './keep-alive.js';
import { Leases } from './lease.js';
import { MemoryMessageLog } from './memory/log.js';
import { PushMetrics } from './metrics.js';
import { resolveOptions, type PushOptions } from './options.js';
import { PushPublisher } from './publisher.js';
import { Reauthorization } from './reauthorization.js';
import { Report } from './report.js';
import { CatchUpScheduler } from './schedulers.js';
import { Streams } from './streams.js';
import { Suspension } from './suspension.js';
import { VanishedPeers } from './vanished-peers.js';

/** Real-time push, without a framework: what goes in, who is connected, and its start and end. */
export interface Push<C extends Catalog = Catalog> {
  readonly publisher: PushPublisher<C>;
  readonly connections: Connections;
  readonly fleet: Fleet;
  /** Begins to read the log. Call it before the first stream opens. */
  start(): Promise<void>;
  /**
   * Refuses new streams and moves the open ones, over `drainSeconds`. Resolves when none is open. Keep the HTTP server
   * open meanwhile: the log is still read, and nobody misses what is published now.
   */
  drain(): Promise<void>;
  /** Publishes what waits, and closes log and leases. Call it once no request can publish any more. */
  close(): Promise<void>;
  /** What adapters of frameworks and transports work with, and what tests look at. */
  readonly parts: ReturnType<typeof wire>;
}

/**
 * Wires the library. An adapter for a framework reads requests, asks `parts.admission` and opens streams with
 * `parts.streams`; `@crossfade/push/nest` is one.
 * @throws RangeError naming the option that is wrong
 */
export function createPush<C extends Catalog>(options: PushOptions<C>): Push<C> {
  const parts = wire(options);
  const { resolved, log, delivery, drain, loops, metrics, publisher, report, hub, connections, fleet } =
    parts;
  const { logger, enabled, drainSeconds, leases, replicas } = resolved;
  return {
    publisher: publisher as PushPublisher<C>,
    connections,
    fleet,
    parts,
    async start() {
      await delivery.start();
      await parts.leases.start();
      for (const loop of [delivery.expiry, report.loop, ...loops]) metrics.watch(loop);
      for (const loop of [report.loop, ...loops]) loop.start();
      fleet.start();
      if (!enabled) logger.warn('Push is switched off: both transports answer 404.');
    },
    async drain() {
      logger.log(`Moving ${hub.size} open streams to other replicas, over ${drainSeconds} s.`);
      await drain.run();
      for (const loop of loops) loop.stop();
    },
    async close() {
      await publisher.close();
      await log.close();
      delivery.stop();
      await leases.close();
      await replicas.close();
      report.loop.stop();
      report.summarize();
    },
  };
}

function wire(options: PushOptions) {
  const resolved = resolveOptions(options);
  const { clock, random, authenticator, keepAliveSeconds, stallSeconds, reauthorizeSeconds } = resolved;
  const metrics = new PushMetrics(resolved.meterProvider.getMeter('@crossfade/push'), () => clock.elapsed());
  const report = new Report(resolved.logger, metrics, clock);
  const environment: Environment = { clock, random, metrics, onError: report.error };
  const { journal, log = new MemoryMessageLog({ clock, journal, onError: report.error }) } = resolved;
  metrics.lag = () => log.lag;
  const hub = new Hub();
  const reauthorize = authenticator.reauthorize?.bind(authenticator);
  const effects = new Effects(hub, reauthorize, environment);
  const window = {
    capacity: resolved.windowCapacity,
    criticalCapacity: resolved.criticalCapacity,
    criticalRetentionMs: resolved.criticalRetentionSeconds * 1000,
  };
  const portion = Math.ceil(resolved.writeQueueCapacity / 2);
  const reauthorization = new Reauthorization(hub, reauthorize, reauthorizeSeconds, environment);
  const holeRecovery = new HoleRecovery(hub, reauthorization, environment);
  const delivery = new Delivery(log, hub, effects, holeRecovery, { window, portion }, environment);
  const connections = new Connections(hub, delivery, resolved.replicas.name, clock);
  const keepAlive = new KeepAlive(keepAliveSeconds, () => delivery.head, environment);
  const catchUp = new CatchUpScheduler();
  const budgets = new Budgets(resolved, clock);
  const leases = new Leases(resolved, { store: resolved.leases, budgets, environment, hub });
  const admission = new Admission(resolved, { hub, delivery, leases, budgets, environment });
  const streams = new Streams(resolved, {
    log,
    hub,
    delivery,
    admission,
    leases,
    keepAlive,
    catchUp,
    environment,
  });
  const suspension = new Suspension(hub, resolved.unconfirmedSeconds, reauthorizeSeconds, environment);
  const vanishedPeers = new VanishedPeers(hub, stallSeconds, environment);
  return {
    resolved,
    metrics,
    report,
    log,
    hub,
    delivery,
    connections,
    fleet: new Fleet(connections, resolved.replicas, report.error),
    keepAlive,
    catchUp,
    budgets,
    leases,
    admission,
    streams,
    reauthorization,
    suspension,
    /** They run as long as there are streams. */
    loops: [keepAlive, vanishedPeers, reauthorization, suspension].map(({ loop }) => loop),
    drain: new Drain(admission, hub, resolved.drainSeconds, environment),
    publisher: new PushPublisher(log, resolved.catalog, resolved.maxMessageBytes, environment),
  };
}
