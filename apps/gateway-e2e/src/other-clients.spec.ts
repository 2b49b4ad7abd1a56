import { readFileSync } from 'node:fs';
import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, runSql, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { otherClients, stopBrowsers, type OtherClient } from './other-clients.ts';
import { RecordingProxy, type Attempt } from './recording-proxy.ts';

/*
 * Other people's clients, unchanged, and what each of them does. docs/clients.md tells readers who choose a client, and
 * must match what is seen here.
 */

/** Longer than any of them waits before it comes back, and than the gateway asks them to. */
const OBSERVE_MS = 12_000;
/** The least that the gateway asks for. */
const RETRY_AFTER_MS = 5000;

const rows = new Map(
  readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => {
      const [name = '', ...cells] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [name, cells];
    }),
);

let host: GatewayHost;
let database: { url: string; name: string };
let admin: ApiClient;
let storefront: string;

beforeAll(async () => {
  const url = newDatabase(inject('postgresPort'));
  database = { url, name: new URL(url).pathname.slice(1) };
  host = await GatewayHost.start({
    databaseUrl: url,
    env: { PUSH_MAX_CONNECTIONS_PER_USER: '1', PUSH_KEEP_ALIVE_SECONDS: '1' },
  });
  admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
  storefront = projects.find(({ name }) => name === 'Storefront')?.id ?? '';
});
afterAll(async () => {
  await stopBrowsers();
  await host.stop();
});

/** A new token, which may have one stream. */
const newToken = () =>
  admin.json<{ id: string; token: string }>('POST', `/projects/${storefront}/tokens`, {
    scopes: ['push:subscribe'],
  });
const announce = (value: string) => admin.json('POST', '/notifications/release?critical=false', { value });
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Starts a client behind a proxy that records its attempts. */
async function start(client: OtherClient, token: string) {
  const proxy = await RecordingProxy.before(host.url);
  const heard: { id: string | undefined; type: string; text: string | undefined }[] = [];
  let blanks = 0;
  const stop = await client.open(proxy.url, token, (id, envelope) => {
    if (envelope === undefined) blanks += 1;
    else
      heard.push({
        id,
        type: envelope.type,
        text: (envelope.message as { message?: string }).message,
      });
  });
  return {
    heard,
    blanks: () => blanks,
    attempts: proxy.attempts,
    breakOff: () => proxy.breakOff(),
    times: (text: string) => heard.filter((one) => one.text === text).length,
    async stop() {
      await stop();
      proxy.close();
    },
  };
}

/** Observes it from the answer to its first attempt on, which comes late on a slow machine. */
async function afterFirst(attempts: readonly Attempt[]): Promise<void> {
  await eventually('answer', () => attempts[0]?.status);
  await pause(OBSERVE_MS);
}

/** How long it waited after a refusal, in words. */
function afterRefusal([first, second]: readonly Attempt[], status: number): string {
  expect(first?.status).toBe(status);
  if (first === undefined || second === undefined) return 'gives up';
  const { retryAfterMs = RETRY_AFTER_MS } = first;
  return second.at - first.at < retryAfterMs - 200 ? 'comes back too soon' : 'comes back when told';
}

/** Starts all clients, and waits until each has a message, and after it keep-alives that moved the head. */
async function startAll() {
  const tokens = await Promise.all(otherClients.map(() => newToken()));
  const running = await Promise.all(
    otherClients.map((client, index) => start(client, tokens[index]?.token ?? '')),
  );
  for (const { heard } of running) {
    await eventually('Connected', () => heard.some(({ type }) => type === 'Connected') || undefined);
  }
  await announce('live');
  for (const { times } of running) await eventually('message', () => times('live') > 0 || undefined);
  // A message that they may not see moves the head, which comes with keep-alives.
  await new ApiClient(host.url, sampleToken.intranet).json('POST', '/events', { message: 'unseen' });
  await pause(2500);
  return running.map((one, index) => {
    const last = one.heard.at(-1)?.id;
    const before = one.attempts.length;
    return {
      ...one,
      tokenId: tokens[index]?.id,
      comesBack: () => (one.attempts.length > before ? 'comes back' : 'ends'),
      /** The cursor with which it came back. */
      brought: () => one.attempts[before]?.cursor,
      idOnlyBlock(): string {
        if (one.blanks() > 0) return 'an event without data';
        const cursor = one.attempts[before]?.cursor;
        return cursor === undefined || cursor === last ? 'ignored' : 'moves the cursor';
      },
    };
  });
}

/** What all do after a clean end of their streams, and with the cursors that they got. */
async function afterCleanEnd() {
  const running = await startAll();
  const streams = await admin.json<{ id: string; token_id: string }[]>('GET', '/push/connections?limit=100');
  for (const { id, token_id } of streams) {
    if (running.some(({ tokenId }) => tokenId === token_id)) {
      await admin.call('DELETE', `/push/connections/${id}`);
    }
  }
  // They are told to reconnect in a second, and their streams end a second after that.
  await pause(2200);
  await announce('away');
  await pause(OBSERVE_MS - 2200);
  for (const { stop } of running) await stop();
  return running.map(({ comesBack, brought, times, idOnlyBlock }) => ({
    end: comesBack(),
    resumes: brought() === undefined ? 'no' : times('away') === 1 ? 'yes' : `heard ${times('away')} times`,
    idOnlyBlock: idOnlyBlock(),
  }));
}

/** What all do after a reset of their connections. Nothing was sent after the keep-alives. */
async function afterBreak() {
  const running = await startAll();
  for (const { breakOff } of running) breakOff();
  await pause(OBSERVE_MS);
  for (const { stop } of running) await stop();
  return running.map(({ comesBack, idOnlyBlock }) => ({ end: comesBack(), idOnlyBlock: idOnlyBlock() }));
}

it('do what docs/clients.md says', async () => {
  const ends = await afterCleanEnd();
  const breaks = await afterBreak();

  const at429 = await Promise.all(
    otherClients.map(async (client) => {
      const { token } = await newToken();
      const holder = await SseProbe.open(host.url, { token });
      await holder.message('Connected');
      const refused = await start(client, token);
      await afterFirst(refused.attempts);
      await refused.stop();
      holder.close();
      return afterRefusal(refused.attempts, client.refusedAs ?? 429);
    }),
  );

  const tokens = await Promise.all(otherClients.map(() => newToken()));
  const postgres = database.url.replace(/\/[^/]*$/, '/postgres');
  runSql(postgres, `ALTER DATABASE "${database.name}" ALLOW_CONNECTIONS false`);
  runSql(
    postgres,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}'`,
  );
  const at503 = await Promise.all(
    otherClients.map(async (client, index) => {
      const refused = await start(client, tokens[index]?.token ?? '');
      await afterFirst(refused.attempts);
      await refused.stop();
      return afterRefusal(refused.attempts, client.refusedAs ?? 503);
    }),
  );
  runSql(postgres, `ALTER DATABASE "${database.name}" ALLOW_CONNECTIONS true`);

  // A clean end is announced by a message with an id, so it shows less; but some clients come back only from that.
  const idOnly = (index: number) => (breaks[index]?.end === 'comes back' ? breaks : ends)[index]?.idOnlyBlock;
  const seen = otherClients.map(({ name }, index) => [
    name,
    [breaks[index]?.end, ends[index]?.end, ends[index]?.resumes, idOnly(index), at429[index], at503[index]],
  ]);
  expect(seen).toEqual(otherClients.map(({ name }) => [name, rows.get(name)]));
});
