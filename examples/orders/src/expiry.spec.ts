import 'reflect-metadata';
import { SseProbe, VirtualClock } from '@crossfade/push/testing';
import { PushModule, PushWsAdapter } from '@crossfade/push/nest';
import type { INestApplication } from '@nestjs/common';
import { Connections } from '@crossfade/push';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { catalog } from './catalog.js';
import { JwtAuthenticator } from './jwt-authenticator.js';
import { OrdersController } from './orders.controller.js';
import { SampleIssuer } from './sample-issuer.js';

let app: INestApplication;
let url: string;
let issuer: SampleIssuer;
let clock: VirtualClock;

/** The program in this process, with a clock that the test moves. */
beforeEach(async () => {
  issuer = await SampleIssuer.start();
  clock = new VirtualClock(Date.now());
  const authenticator = new JwtAuthenticator(issuer);
  const push = PushModule.forRoot({ catalog, clock, drainSeconds: 0, authenticator });
  const module = Test.createTestingModule({ imports: [push], controllers: [OrdersController] });
  app = (await module.compile()).createNestApplication({ logger: false });
  app.useWebSocketAdapter(new PushWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});
afterEach(async () => {
  await app.close();
  await issuer.stop();
});

it('ends the stream of a token with Revoked when it expires, ten minutes later', async () => {
  const probe = await SseProbe.open(url, { token: await issuer.token({ id: 'ann', validFor: 600 }) });
  await probe.message('Connected');
  await clock.advanceAsync(590_000);
  expect(probe.received.map(({ type }) => type)).toEqual(['Connected']);
  await clock.advanceAsync(40_000);
  expect((await probe.message('Revoked')).message).toEqual({ reason: 'The token has expired.' });
  await probe.end();
});

it('sends keep-alives meanwhile, at the announced interval', async () => {
  const probe = await SseProbe.open(url, { token: await issuer.token({ id: 'ann' }) });
  const { message } = await probe.message('Connected');
  expect(message).toMatchObject({ keep_alive_seconds: 15 });
  await clock.advanceAsync(15_000);
  await expect.poll(() => probe.comments.length).toBe(1);
  probe.close();
  await expect.poll(() => app.get(Connections).list()).toEqual([]);
});
