import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { SseProbe, eventually } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  OwnFolder,
  newDatabase,
  runSql,
  sampleToken,
  startSql,
} from '@crossfade/test-hosts';
import { afterAll, describe, expect, inject, it } from 'vitest';

/** A mark in everything that is sent. */
const MARK = `zebra${crypto.randomUUID()}`;
const SECRET_TOKEN = `${MARK}-token`;
const spill = readFileSync(fileURLToPath(new URL('./spill.sql', import.meta.url)), 'utf8');
const EMBEDDED = 'the embedded database';

interface Store {
  readonly start: () => Promise<GatewayHost>;
  readonly change: (statements: string) => Promise<void>;
}

const env = {
  LOG_LEVEL: 'trace',
  ENABLE_SIGNUP: 'true',
  API_THROTTLE_PER_MINUTE: '0',
  DATABASE_STATEMENT_TIMEOUT_SECONDS: '3',
  DATABASE_LOCK_TIMEOUT_SECONDS: '1',
};
const stores: Record<string, () => Store & { readonly url?: string }> = {
  [EMBEDDED]: () => {
    const folder = new OwnFolder('logs').path;
    return {
      start: () => GatewayHost.start({ env: { ...env, DATA_DIR: folder } }),
      change: async (statements) => {
        const client = await PGlite.create(join(folder, 'postgres'), { extensions: { pg_trgm } });
        await client.exec(statements);
        await client.close();
      },
    };
  },
  PostgreSQL: () => {
    const url = newDatabase(inject('postgresPort'));
    return {
      url,
      start: () => GatewayHost.start({ env, databaseUrl: url }),
      change: (statements) => Promise.resolve(void runSql(url, statements)),
    };
  },
};

describe.each(Object.keys(stores))('a failure in %s', (name) => {
  const store = (stores[name] ?? stores['PostgreSQL'] ?? (() => undefined as never))();
  let host: GatewayHost;
  let printed = '';
  afterAll(() => host.stop('SIGKILL'));

  /** Runs one statement after the other, as an operator would. */
  async function restartWith(statements: string): Promise<void> {
    printed += host.output;
    await host.stop();
    await store.change(statements);
    host = await store.start();
  }

  it('is logged as a statement and a code, without any value that was sent', async () => {
    host = await store.start();
    const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
    const [acme] = await admin.json<{ id: string }[]>('GET', '/organizations');
    const [project] = await admin.json<{ id: string }[]>('GET', '/projects');
    const calm = { type: 'error', message: 'calm', reference_id: 'calm' };
    await new ApiClient(host.url, sampleToken.storefront).json('POST', '/events', calm);
    const { id: token } = await admin.json<{ id: string }>('POST', `/projects/${project?.id}/tokens`, {
      notes: MARK,
    });
    await restartWith(spill);

    const as = (token: string | undefined) => new ApiClient(host.url, token);
    const failed = await Promise.all(
      [
        as(admin.token).call('POST', '/organizations', { name: MARK }),
        as(admin.token).call('POST', '/projects', { organization_id: acme?.id, name: MARK }),
        as(admin.token).call('DELETE', `/tokens/${token}`),
        as(sampleToken.storefront).call('POST', '/events', { ...calm, message: MARK, tags: [MARK] }),
        as(sampleToken.storefront).call('POST', '/events/by-ref/calm/user-description', {
          email_address: `${MARK}@example.com`,
          description: MARK.repeat(200),
        }),
        as(sampleToken.service).call(
          'POST',
          '/push/messages',
          { type: 'ReleaseNotification', message: { critical: false, message: MARK, date: new Date() } },
          { 'Idempotency-Key': MARK },
        ),
        as(admin.token).call('POST', `/projects/${project?.id}/tokens`, { notes: MARK }),
        as(undefined).call('POST', '/auth/signup', {
          email: `${MARK}@example.com`,
          password: `plain otters juggle ${MARK}`,
          full_name: MARK,
        }),
        as(admin.token).call('POST', `/organizations/${acme?.id}/users/${MARK}@example.com`),
      ].map(async (answer) => {
        const response = await answer;
        return `${response.status} ${await response.text()}`;
      }),
    );
    // A reference to a missing row is not a failure of the gateway.
    expect(failed.map((answer) => answer.slice(0, 3))).toEqual([
      '500',
      '404',
      '500',
      '500',
      '500',
      '500',
      '500',
      '500',
      '500',
    ]);
    for (const answer of failed) expect(answer).not.toContain(MARK);
    // Its cursor cannot be recorded: the push library logs that.
    expect(
      (await as(admin.token).call('POST', '/notifications/release?critical=false', { value: MARK })).status,
    ).toBe(200);
    await host.prints('noting the cursor');

    if (store.url !== undefined) await holdAndLose(host, store.url);

    // The table that every token is looked up in, by REST and by push.
    await restartWith('ALTER TABLE memberships RENAME COLUMN organization_id TO gone');
    expect((await as(SECRET_TOKEN).call('GET', `/organizations?q=${MARK}`)).status).toBe(500);
    const stream = await SseProbe.open(host.url, { token: SECRET_TOKEN });
    expect(stream.response.status).toBe(503);
    await host.prints('While admitting a stream');
    holdsNothing(printed + host.output);
  });

  function holdsNothing(log: string): void {
    for (const state of ['23514', 'P0001', '23505', '42703']) expect(log).toContain(`${state}: `);
    const lines = log.split('\n');
    expect(lines.filter((line) => line.length > 4096)).toEqual([]);
    const hash = createHash('sha256').update(SECRET_TOKEN).digest('hex');
    for (const sent of [
      MARK,
      'zebra',
      hash,
      '$argon2',
      'otters',
      'member@',
      'params',
      'Failing row',
      'spilt',
    ])
      expect(lines.filter((line) => line.includes(sent))).toEqual([]);
  }
});

/** A lock that times out and a connection that is lost, both with marked values in the statement. */
async function holdAndLose(host: GatewayHost, url: string): Promise<void> {
  const client = new ApiClient(host.url, sampleToken.storefront);
  const marked = { type: 'error', message: MARK };
  for (const isLost of [false, true]) {
    const end = startSql(url, 'LOCK TABLE stacks; SELECT pg_sleep(20)');
    const waits = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'crossfade' AND datname = current_database() AND wait_event_type = 'Lock'`;
    await eventually(
      'lock',
      () => runSql(url, `SELECT 1 FROM pg_locks WHERE relation = 'stacks'::regclass`) || undefined,
    );
    const answer = client.call('POST', '/events', marked);
    if (isLost) {
      await eventually('request that waits', () => runSql(url, waits) || undefined);
      runSql(
        url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crossfade' AND datname = current_database()`,
      );
    }
    expect((await answer).status).toBe(503);
    await end();
  }
  await eventually('both codes', () => (/55P03/.test(host.output) && /57P01/.test(host.output)) || undefined);
}
