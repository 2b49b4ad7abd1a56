import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
} from '@nestjs/common';
import { Admission } from '../admission.js';
import { systemClock } from '../clock.js';
import { Connections } from '../connections.js';
import { Delivery } from '../delivery.js';
import { Hub } from '../hub.js';
import { KeepAlive } from '../keep-alive.js';
import { resolveOptions, type PushOptions, type ResolvedPushOptions } from '../options.js';
import { Publisher } from '../publisher.js';
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

/** Adds the push endpoint on both transports, and a `Publisher` and the `Connections` to inject. */
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
        {
          provide: Delivery,
          inject: [PUSH_OPTIONS, Hub],
          useFactory: (
            { log, authenticator, logCapacity, writeQueueCapacity }: ResolvedPushOptions,
            hub: Hub,
          ) =>
            new Delivery(
              log,
              hub,
              authenticator,
              systemClock,
              { window: logCapacity, portion: Math.ceil(writeQueueCapacity / 2) },
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
          inject: [PUSH_OPTIONS, Hub, Delivery, KeepAlive],
          useFactory: (options: ResolvedPushOptions, hub: Hub, delivery: Delivery, keepAlive: KeepAlive) =>
            new Admission(options, hub, delivery, keepAlive, systemClock, logFailure),
        },
        {
          provide: Publisher,
          inject: [PUSH_OPTIONS],
          useFactory: ({ log, catalog }: ResolvedPushOptions) =>
            new Publisher(log, catalog, systemClock, (error) =>
              logFailure(error, 'publishing a conflated message'),
            ),
        },
        { provide: Connections, inject: [Hub], useFactory: (hub: Hub) => new Connections(hub) },
        AdmissionGuard,
        PushGateway,
        PushLifecycle,
      ],
      exports: [Publisher, Connections],
    };
  }
}
