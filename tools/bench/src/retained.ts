import { randomUUID } from 'node:crypto';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, runSql, sampleToken, type GatewayHost, type RedisHost } from '@crossfade/test-hosts';

/** Messages of one request. */
const BATCH = 100;
/** As many critical ones are retained beside the log by default. */
const MESSAGES = 1000;
const LOG = '{crossfade}:log';

/** What a message takes in Redis and PostgreSQL while it is retained there. Nothing else may use that Redis. */
export async function measureRetained(
  { url }: GatewayHost,
  redis: RedisHost,
  databaseUrl: string,
): Promise<object[]> {
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  const [organization] = await admin.json<{ id: string }[]>('GET', '/organizations');
  const ids = { organization_id: organization?.id, project_id: randomUUID() };
  const service = new ApiClient(url, sampleToken.service);
  const kinds: Record<string, () => object> = {
    invalidation: () => ({
      type: 'StackChanged',
      message: { type: 'Stack', id: randomUUID(), ...ids, change_type: 1, data: {} },
    }),
    critical: () => ({
      type: 'PlanOverage',
      message: { organization_id: ids.organization_id, is_hourly: true },
    }),
  };
  const found: object[] = [];
  let messages = 0;
  for (const [kind, make] of Object.entries(kinds)) {
    const before = await sizes(redis);
    for (let sent = 0; sent < MESSAGES; sent += BATCH) {
      await service.json('POST', '/push/messages', Array.from({ length: BATCH }, make));
    }
    messages += MESSAGES;
    await eventually('all in the log', async () => {
      return Number(await redis.run('XLEN', LOG)) >= messages || undefined;
    });
    const after = await sizes(redis);
    const each = (name: keyof typeof after) => Math.round((after[name] - before[name]) / MESSAGES);
    found.push({
      kind,
      characters: JSON.stringify(make()).length,
      'in the log, bytes': each('log'),
      'beside it, bytes': each('criticals'),
      'its record id, bytes': each('recordIds'),
      'all of Redis, bytes': each('all'),
    });
  }
  // Those of critical messages stay.
  runSql(databaseUrl, 'VACUUM FULL push_messages');
  const rows = `SELECT pg_total_relation_size('push_messages') / count(*) FROM push_messages WHERE critical`;
  return [...found, { kind: 'critical', 'a row in PostgreSQL, bytes': Number(runSql(databaseUrl, rows)) }];
}

async function sizes(redis: RedisHost) {
  const of = async (key: string): Promise<number> =>
    Number((await redis.run('MEMORY', 'USAGE', key, 'SAMPLES', '0')) || 0);
  const [, all] = /^used_memory:(\d+)/m.exec(await redis.run('INFO', 'memory')) ?? [];
  return {
    log: await of(LOG),
    criticals: await of(`${LOG}:criticals`),
    recordIds: (await of(`${LOG}:doubles`)) + (await of(`${LOG}:ids`)),
    all: Number(all),
  };
}
