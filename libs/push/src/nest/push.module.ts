import {
  ConfigurableModuleBuilder,
  Inject,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { PUSH_PATH } from '@crossfade/protocol';
import { Connections } from '../connections.js';
import { Fleet } from '../fleet.js';
import type { PushOptions } from '../options.js';
import { PushPublisher } from '../publisher.js';
import { createPush, type Push } from '../push.js';
import { AdmissionGuard } from './admission.guard.js';
import { PUSH, PUSH_ENDPOINT } from './injection-tokens.js';
import { pushControllerAt } from './push.controller.js';
import { pushGatewayAt } from './push.gateway.js';

/** What is decided before the options are made, since decorators need it. */
export interface PushModuleExtras {
  /** The path of the push endpoint, on both transports. Default `/api/v2/push`. */
  readonly path?: string;
}

const PATH = /^(?:\/[\w.~-]+)+$/;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<PushOptions>({
  moduleName: 'Push',
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createPushOptions')
  .setExtras<PushModuleExtras>({}, (definition, { path = PUSH_PATH }) => {
    if (!PATH.test(path)) throw new RangeError(`path must be like /api/v2/push, not ${path}`);
    return {
      ...definition,
      controllers: [pushControllerAt(path)],
      providers: [
        ...(definition.providers ?? []),
        pushGatewayAt(path),
        { provide: PUSH_ENDPOINT, useValue: path },
      ],
    };
  })
  .build();

/**
 * Adds the push endpoint on both transports, with a `PushPublisher`, the `Connections` and the `Fleet` to inject. It starts with the
 * program, and drains before the program ends: call `app.enableShutdownHooks()`.
 *
 * `PushModule.forRoot(options)`, or `PushModule.forRootAsync({ useFactory, inject, imports })`, with `useClass` and
 * `useExisting` as NestJS' own modules have them: a class with `createPushOptions()`. Each takes a `path` beside them.
 */
@Module({
  providers: [
    {
      provide: PUSH,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: PushOptions): Push => createPush({ logger: new Logger('Push'), ...options }),
    },
    { provide: PushPublisher, inject: [PUSH], useFactory: ({ publisher }: Push) => publisher },
    { provide: Connections, inject: [PUSH], useFactory: ({ connections }: Push) => connections },
    { provide: Fleet, inject: [PUSH], useFactory: ({ fleet }: Push) => fleet },
    AdmissionGuard,
  ],
  exports: [PushPublisher, Connections, Fleet],
})
export class PushModule
  extends ConfigurableModuleClass
  implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(@Inject(PUSH) private readonly push: Push) {
    super();
  }

  onModuleInit(): Promise<void> {
    return this.push.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.push.drain();
  }

  onApplicationShutdown(): Promise<void> {
    return this.push.close();
  }
}
