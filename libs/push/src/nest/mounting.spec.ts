import 'reflect-metadata';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Injectable, Module, type DynamicModule, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { catalog } from '@crossfade/protocol/catalog';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { PushOptions } from '../options.js';
import { Connections } from '../connections.js';
import { PushModule } from './push.module.js';
import { PushWsAdapter } from './push-ws.adapter.js';

const options: PushOptions = {
  catalog,
  drainSeconds: 0,
  authenticator: {
    authenticate: async (tokenId: string) => ({
      outcome: 'authenticated',
      principal: { userId: tokenId, tokenId, organizationIds: new Set<string>() },
    }),
  },
};

@Injectable()
class OptionsFactory {
  createPushOptions(): PushOptions {
    return options;
  }
}
@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class OptionsModule {}

@Module({})
class RootModule {}

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(push: DynamicModule): Promise<number> {
  app = await NestFactory.create({ module: RootModule, imports: [push] }, { logger: false });
  app.useWebSocketAdapter(new PushWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  return (app.getHttpServer().address() as AddressInfo).port;
}

/** The first event over Server-Sent Events, or the status where there is none. */
async function overSse(port: number, path: string): Promise<string | number> {
  const controller = new AbortController();
  const headers = { Authorization: 'Bearer ann' };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: controller.signal });
  if (!response.ok) return response.status;
  const { value } = (await response.body?.getReader().read()) ?? {};
  controller.abort();
  return /"type":"(\w+)"/.exec(new TextDecoder().decode(value))?.[1] ?? 'nothing';
}

/** The first message over WebSocket, or the status where the upgrade is refused. */
async function overWebSocket(port: number, path: string): Promise<string | number> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}?access_token=ann`);
  webSocket.on('error', () => undefined);
  const refused = once(webSocket, 'unexpected-response');
  const message = once(webSocket, 'message');
  const [first, second] = (await Promise.race([refused, message])) as [unknown, { statusCode?: number }];
  webSocket.terminate();
  return second.statusCode ?? (JSON.parse(String(first)) as { type: string }).type;
}

describe('the module takes its options', () => {
  it.each<[string, () => DynamicModule]>([
    ['as they are', () => PushModule.forRoot(options)],
    ['from a factory', () => PushModule.forRootAsync({ useFactory: async () => options })],
    ['from a class', () => PushModule.forRootAsync({ useClass: OptionsFactory })],
    [
      'from a provider of another module',
      () => PushModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsFactory }),
    ],
  ])('%s', async (_how, push) => {
    const port = await start(push());
    expect(await overSse(port, '/api/v2/push')).toBe('Connected');
    expect(await overWebSocket(port, '/api/v2/push')).toBe('Connected');
    await expect.poll(() => app?.get(Connections).list()).toEqual([]);
  });
});

describe('the endpoint at another path', () => {
  it.each<[string, () => DynamicModule]>([
    ['forRoot', () => PushModule.forRoot({ ...options, path: '/live/events' })],
    ['forRootAsync', () => PushModule.forRootAsync({ path: '/live/events', useFactory: () => options })],
  ])(
    'is there on both transports, with its settings, in any spelling, and nowhere else: %s',
    async (_how, push) => {
      const port = await start(push());
      for (const path of ['/live/events', '/LIVE//Events/']) {
        expect(await overSse(port, path)).toBe('Connected');
        expect(await overWebSocket(port, path)).toBe('Connected');
        const settings = await fetch(`http://127.0.0.1:${port}${path.replace(/\/$/, '')}/settings`);
        expect(await settings.json()).toEqual({ enabled: true, transport: 'sse', keep_alive_seconds: 15 });
      }
      for (const path of ['/api/v2/push', '/live', '/live/events/more']) {
        expect(await overSse(port, path)).toBe(404);
        expect(await overWebSocket(port, path)).toBe(404);
      }
    },
  );

  it.each(['live', '/live/', '/', '', '/a b', '/live?x', '/:id'])(
    'is refused where it is none: %j',
    (path) => {
      expect(() => PushModule.forRoot({ ...options, path })).toThrow(
        new RangeError(`path must be like /api/v2/push, not ${path}`),
      );
    },
  );
});
