import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
} from '@nestjs/common';
import { Admission } from '../admission.js';
import { Budgets } from '../budgets.js';
import { CatchUp } from '../catch-up.js';
import { systemClock } from '../clock.js';
import { Connections } from '../connections.js';
import { Delivery } from '../delivery.js';
import { Drain } from '../drain.js';
import { Hub } from '../hub.js';
import { KeepAlive } from '../keep-alive.js';
import { resolveOptions, type PushOptions, type ResolvedPushOptions } from '../options.js';
import { Peers } from '../peers.js';
import { PushPublisher } from '../publisher.js';
import { Reauthorization } from '../reauthorization.js';
import { Turn } from '../turn.js';
import { AdmissionGuard } from './admission.guard.js';
import { PUSH_OPTIONS } from './options.token.js';
import { PushController } from './push.controller.js';
import { PushGateway } from './push.gateway.js';
import { PushLifecycle } from './push.lifecycle.js';

export interface PushModuleAsyncOptions
  extends Pick<ModuleMetadata, 'imports'>, Pick<FactoryProvider<PushOptions>, 'inject' | 'useFactory'> {}

const logger = new Logger('Push');
const logFailure = (error: unknown, doing: string): void => {
  logger.error(`While ${doing}: ${error instanceof Error ? error.message : String(error)}`);
};

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
        Hub,
        CatchUp,
        {
          provide: Delivery,
          inject: [PUSH_OPTIONS, Hub],
          useFactory: (options: ResolvedPushOptions, hub: Hub) =>
            new Delivery(
              options.log,
              hub,
              options.authenticator,
              systemClock,
              {
                window: {
                  capacity: options.logCapacity,
                  criticalCapacity: options.criticalCapacity,
                  criticalRetentionMs: options.criticalRetentionSeconds * 1000,
                },
                portion: Math.ceil(options.writeQueueCapacity / 2),
              },
              logFailure,
            ),
        },
        {
          provide: KeepAlive,
          inject: [PUSH_OPTIONS, Delivery],
          useFactory: ({ keepAliveSeconds }: ResolvedPushOptions, delivery: Delivery) =>
            new KeepAlive(keepAliveSeconds, () => delivery.head),
        },
        {
          provide: Admission,
          inject: [PUSH_OPTIONS, Hub, Delivery, KeepAlive, CatchUp],
          useFactory: (
            options: ResolvedPushOptions,
            hub: Hub,
            delivery: Delivery,
            keepAlive: KeepAlive,
            catchUp: CatchUp,
          ) =>
            new Admission(options, {
              hub,
              delivery,
              keepAlive,
              catchUp,
              turn: new Turn(),
              budgets: new Budgets(options, systemClock),
              clock: systemClock,
              onError: logFailure,
            }),
        },
        {
          provide: Peers,
          inject: [PUSH_OPTIONS, Hub],
          useFactory: ({ stallSeconds }: ResolvedPushOptions, hub: Hub) =>
            new Peers(hub, stallSeconds, systemClock),
        },
        {
          provide: Reauthorization,
          inject: [PUSH_OPTIONS, Hub],
          useFactory: ({ authenticator, reauthorizeSeconds }: ResolvedPushOptions, hub: Hub) =>
            new Reauthorization(hub, authenticator, reauthorizeSeconds, systemClock, logFailure),
        },
        {
          provide: Drain,
          inject: [PUSH_OPTIONS, Admission, Hub],
          useFactory: ({ drainSeconds }: ResolvedPushOptions, admission: Admission, hub: Hub) =>
            new Drain(admission, hub, drainSeconds, systemClock),
        },
        {
          provide: PushPublisher,
          inject: [PUSH_OPTIONS],
          useFactory: ({ log, catalog }: ResolvedPushOptions) =>
            new PushPublisher(log, catalog, systemClock, (error) =>
              logFailure(error, 'publishing a conflated message'),
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
