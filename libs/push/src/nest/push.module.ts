import { Module, type DynamicModule, type FactoryProvider, type ModuleMetadata } from '@nestjs/common';
import { Admission } from '../admission.js';
import { Budgets } from '../budgets.js';
import { CatchUp } from '../catch-up.js';
import { Confirmation } from '../confirmation.js';
import { Connections } from '../connections.js';
import { Delivery } from '../delivery.js';
import { Drain } from '../drain.js';
import { Hub } from '../hub.js';
import { KeepAlive } from '../keep-alive.js';
import { PushMetrics } from '../metrics.js';
import { resolveOptions, type PushOptions, type ResolvedPushOptions } from '../options.js';
import { Peers } from '../peers.js';
import { PushPublisher } from '../publisher.js';
import { Reauthorization } from '../reauthorization.js';
import { Turn } from '../turn.js';
import { AdmissionGuard } from './admission.guard.js';
import { PUSH_OPTIONS } from './options.token.js';
import { PushController } from './push.controller.js';
import { PushLog } from './push-log.js';
import { PushGateway } from './push.gateway.js';
import { PushLifecycle } from './push.lifecycle.js';

export interface PushModuleAsyncOptions
  extends Pick<ModuleMetadata, 'imports'>, Pick<FactoryProvider<PushOptions>, 'inject' | 'useFactory'> {}

/** Adds the push endpoint on both transports, and a `PushPublisher` and the `Connections` to inject. */
@Module({})
export class PushModule {
  static forRootAsync({ imports = [], inject = [], useFactory }: PushModuleAsyncOptions): DynamicModule {
    return {
      module: PushModule,
      imports,
      controllers: [PushController],
      providers: [
        {
          provide: PUSH_OPTIONS,
          inject,
          useFactory: async (...args: unknown[]) => resolveOptions(await useFactory(...args)),
        },
        {
          provide: PushMetrics,
          inject: [PUSH_OPTIONS],
          useFactory: ({ meterProvider, clock }: ResolvedPushOptions) =>
            new PushMetrics(meterProvider.getMeter('@crossfade/push'), () => clock.elapsed()),
        },
        {
          provide: PushLog,
          inject: [PUSH_OPTIONS, PushMetrics],
          useFactory: ({ clock }: ResolvedPushOptions, metrics: PushMetrics) => new PushLog(metrics, clock),
        },
        Hub,
        CatchUp,
        {
          provide: Delivery,
          inject: [PUSH_OPTIONS, Hub, PushLog, PushMetrics],
          useFactory: (options: ResolvedPushOptions, hub: Hub, log: PushLog, metrics: PushMetrics) =>
            new Delivery(
              options.log,
              hub,
              options.authenticator,
              options.clock,
              {
                window: {
                  capacity: options.logCapacity,
                  criticalCapacity: options.criticalCapacity,
                  criticalRetentionMs: options.criticalRetentionSeconds * 1000,
                },
                portion: Math.ceil(options.writeQueueCapacity / 2),
              },
              log.failure,
              metrics,
            ),
        },
        {
          provide: KeepAlive,
          inject: [PUSH_OPTIONS, Delivery, PushLog],
          useFactory: (
            { keepAliveSeconds, clock }: ResolvedPushOptions,
            delivery: Delivery,
            { failure }: PushLog,
          ) => new KeepAlive(keepAliveSeconds, () => delivery.head, clock, Math.random, failure),
        },
        {
          provide: Admission,
          inject: [PUSH_OPTIONS, Hub, Delivery, KeepAlive, CatchUp, PushLog, PushMetrics],
          useFactory: (
            options: ResolvedPushOptions,
            hub: Hub,
            delivery: Delivery,
            keepAlive: KeepAlive,
            catchUp: CatchUp,
            log: PushLog,
            metrics: PushMetrics,
          ) =>
            new Admission(options, {
              hub,
              delivery,
              keepAlive,
              catchUp,
              turn: new Turn(),
              budgets: new Budgets(options, options.clock),
              clock: options.clock,
              onError: log.failure,
              metrics,
            }),
        },
        {
          provide: Peers,
          inject: [PUSH_OPTIONS, Hub, PushLog],
          useFactory: ({ stallSeconds, clock }: ResolvedPushOptions, hub: Hub, { failure }: PushLog) =>
            new Peers(hub, stallSeconds, clock, undefined, failure),
        },
        {
          provide: Reauthorization,
          inject: [PUSH_OPTIONS, Hub, PushLog, PushMetrics],
          useFactory: (
            { authenticator, reauthorizeSeconds, clock }: ResolvedPushOptions,
            hub: Hub,
            log: PushLog,
            metrics: PushMetrics,
          ) => new Reauthorization(hub, authenticator, reauthorizeSeconds, clock, log.failure, metrics),
        },
        {
          provide: Confirmation,
          inject: [PUSH_OPTIONS, Hub, PushLog],
          useFactory: (
            { unconfirmedSeconds, reauthorizeSeconds, clock }: ResolvedPushOptions,
            hub: Hub,
            { failure }: PushLog,
          ) => new Confirmation(hub, unconfirmedSeconds, reauthorizeSeconds, clock, failure),
        },
        {
          provide: Drain,
          inject: [PUSH_OPTIONS, Admission, Hub, PushMetrics],
          useFactory: (
            { drainSeconds, clock }: ResolvedPushOptions,
            admission: Admission,
            hub: Hub,
            metrics: PushMetrics,
          ) => new Drain(admission, hub, drainSeconds, clock, metrics),
        },
        {
          provide: PushPublisher,
          inject: [PUSH_OPTIONS, PushLog, PushMetrics],
          useFactory: (
            { log, catalog, clock, maxMessageBytes }: ResolvedPushOptions,
            lines: PushLog,
            metrics: PushMetrics,
          ) =>
            new PushPublisher(
              log,
              catalog,
              clock,
              (error) => lines.failure(error, 'publishing a conflated message'),
              metrics,
              maxMessageBytes,
            ),
        },
        { provide: Connections, inject: [Hub], useFactory: (hub: Hub) => new Connections(hub) },
        AdmissionGuard,
        PushGateway,
        PushLifecycle,
      ],
      exports: [PushPublisher, Connections],
    };
  }
}
