import 'reflect-metadata';
import type { IncomingMessage, Server } from 'node:http';
import { Controller, HttpCode, Post, Req, Sse, type MessageEvent } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Subject, type Observable } from 'rxjs';
import { readMessages } from './read-messages.ts';

/*
 * The server of NestJS' own documentation: one Subject, and a handler that returns it. Decorators are applied by hand,
 * because Node strips types and does not know decorators.
 */
class Stock {
  readonly messages = new Subject<MessageEvent>();

  stream(): Observable<MessageEvent> {
    return this.messages;
  }

  async publish(request: IncomingMessage): Promise<void> {
    for (const message of await readMessages(request)) this.messages.next({ data: message });
  }
}
const methodOf = (name: 'stream' | 'publish') =>
  [Stock.prototype, name, Object.getOwnPropertyDescriptor(Stock.prototype, name) ?? {}] as const;
Sse('stream')(...methodOf('stream'));
Post('messages')(...methodOf('publish'));
HttpCode(202)(...methodOf('publish'));
Req()(Stock.prototype, 'publish', 0);
Controller()(Stock);

const app = await NestFactory.create(
  { module: Stock, controllers: [Stock] },
  { bodyParser: false, logger: ['error'] },
);
await app.init();
const server = app.getHttpServer() as Server;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  process.send?.({ ready: typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '' });
});
