import type { AddressInfo } from 'node:net';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { INestApplication, NestInterceptor } from '@nestjs/common';
import { catalog } from '@crossfade/protocol/catalog';
import { Test } from '@nestjs/testing';
import { MemoryLeaseStore } from '../memory/lease-store.js';
import type { PushOptions } from '../options.js';
import { PushPublisher } from '../publisher.js';
import type { Push } from '../push.js';
import { FrameWritingInterceptor } from './frame-writing.interceptor.js';
import { PUSH } from './injection-tokens.js';
import { PushWsAdapter } from './push-ws.adapter.js';
import { PushModule } from './push.module.js';

export const PATH = '/api/v2/push';

/** Both ways of the route: with the interceptor that writes frames, and with one instead that does nothing. */
export const interceptors: readonly (readonly [string, NestInterceptor | undefined])[] = [
  ['with the frame-writing interceptor', undefined],
  ['without it', { intercept: (_context, next) => next.handle() }],
];

export interface PushApp {
  readonly app: INestApplication;
  readonly leases: MemoryLeaseStore;
  readonly port: number;
}

/** A program that pushes and does nothing else, on a free port. */
export async function startPush(
  options: Omit<PushOptions, 'catalog'>,
  interceptor: NestInterceptor | undefined,
  adapter?: AbstractHttpAdapter,
): Promise<PushApp> {
  const leases = new MemoryLeaseStore();
  const builder = Test.createTestingModule({
    imports: [
      PushModule.forRootAsync({
        useFactory: () => ({
          catalog,
          leases,
          connectsPerMinute: 1000,
          maxConnectionsPerOwner: 100,
          ...options,
        }),
      }),
    ],
  });
  if (interceptor !== undefined) builder.overrideInterceptor(FrameWritingInterceptor).useValue(interceptor);
  const module = await builder.compile();
  const app =
    adapter === undefined
      ? module.createNestApplication({ logger: false })
      : module.createNestApplication(adapter, { logger: false });
  app.useWebSocketAdapter(new PushWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  return { app, leases, port: (app.getHttpServer().address() as AddressInfo).port };
}

/** Publishes a change of organization `o` that says something. */
export const publishText = (app: INestApplication, text: string): Promise<void> =>
  app.get(PushPublisher).publish({
    type: 'StackChanged',
    message: { type: 'Stack', organization_id: 'o', change_type: 1, data: { text } },
  });

/** What the library is made of in this program. */
export const partsOf = (app: INestApplication): Push['parts'] => app.get<Push>(PUSH).parts;
