import { eventually } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  PgBouncerHost,
  PostgresHost,
  StreamLoad,
  TcpProxy,
  freePort,
  newDatabase,
  runSql,
} from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IngestLoad } from './ingest-load.ts';

/** `ATTACK_FULL=1`: every outage, with 500 streams, and longer. */
const isFull = process.env['ATTACK_FULL'] === '1';
const STREAMS = isFull ? 500 : 60;
const OUTAGE_MS = isFull ? 8000 : 1500;
const SEED = Number(process.env['ATTACK_SEED'] ?? Math.floor(Math.random() * 1000));
const STATEMENT_SECONDS = 3;
/** Documented: healthy within this time after the database's return. */
const BOUND_MS = 5000;

interface Hosts {
  readonly postgres: PostgresHost;
  readonly proxy: TcpProxy;
  readonly url: string;
}
interface Outage {
  readonly begin: (hosts: Hosts) => Promise<unknown> | void;
  readonly end?: (hosts: Hosts) => Promise<unknown> | void;
  readonly lastsMs?: number;
}

const backends = (url: string): number[] =>
  runSql(
    url,
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  )
    .split('\n')
    .filter(Boolean)
    .map(Number);

const outages: Record<string, Outage> = {
  'a backend is killed': {
    begin: ({ url }) => {
      const [first] = backends(url);
      if (first !== undefined) process.kill(first, 'SIGKILL');
    },
    lastsMs: 0,
  },
  'every backend is terminated, again and again': {
    begin: async ({ url }) => {
      for (let round = 0; round < 5; round += 1) {
        runSql(
          url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
        );
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
    },
    lastsMs: 0,
  },
  'it is killed': {
    begin: ({ postgres }) => postgres.end('SIGKILL'),
    end: ({ postgres }) => postgres.startAgain(),
  },
  'it is stopped, fast': {
    begin: ({ postgres }) => postgres.end('SIGINT'),
    end: ({ postgres }) => postgres.startAgain(),
  },
  'it is stopped, immediately': {
    begin: ({ postgres }) => postgres.end('SIGQUIT'),
    end: ({ postgres }) => postgres.startAgain(),
  },
  'it is cut off': { begin: ({ proxy }) => proxy.cut(), end: ({ proxy }) => proxy.mend() },
  'nothing moves for a while': { begin: ({ proxy }) => proxy.pause(), end: ({ proxy }) => proxy.mend() },
  'its connections become black holes': {
    begin: ({ proxy }) => proxy.lose(),
    end: ({ proxy }) => proxy.mend(),
    lastsMs: Math.max(OUTAGE_MS, (STATEMENT_SECONDS + 2) * 1000),
  },
};

/** The short pass runs some of them, chosen by the seed. */
const some = (many: number, shift: number): [string, Outage][] => {
  const all = Object.entries(outages);
  return isFull ? all : all.filter((_, index) => (index + SEED + shift) % all.length < many);
};

for (const [title, pooled] of [
  ['PostgreSQL', false],
  ['PostgreSQL behind PgBouncer', true],
] as const) {
  describe(`${title} fails under load (ATTACK_SEED=${SEED})`, () => {
    let hosts: Hosts;
    let bouncer: PgBouncerHost | undefined;
    let host: GatewayHost;
    let admin: ApiClient;
    let metricsPort = 0;
    const streams = new StreamLoad();
    const load: { current?: IngestLoad } = {};
    beforeAll(async () => {
      const postgres = await PostgresHost.start();
      const url = newDatabase(postgres.port);
      // By default, a pooler waits 15 s before it retries a server that was unreachable.
      if (pooled) bouncer = await PgBouncerHost.start(postgres.port, { server_login_retry: 1 });
      const proxy = await TcpProxy.start(bouncer?.port ?? postgres.port);
      hosts = { postgres, proxy, url };
      host = await GatewayHost.start({
        databaseUrl: proxy.through(url),
        env: {
          API_THROTTLE_PER_MINUTE: '0',
          INGEST_THROTTLE_PER_MINUTE: '0',
          PUSH_MAX_CONNECTIONS_PER_USER: '1000',
          PUSH_REAUTHORIZE_SECONDS: '2',
          // Streams whose rights are not confirmed for this long end, and come back. It is longer than any outage here.
          PUSH_UNCONFIRMED_SECONDS: '30',
          DATABASE_STATEMENT_TIMEOUT_SECONDS: String(STATEMENT_SECONDS),
          DATABASE_LOCK_TIMEOUT_SECONDS: '2',
          LOG_LEVEL: 'warn',
          METRICS_PORT: String((metricsPort = await freePort())),
        },
      });
      admin = await ApiClient.login(host.url, 'admin@crossfade.test');
      await streams.open(host.url, [admin.token ?? ''], STREAMS);
    });
    afterAll(async () => {
      await load.current?.stop();
      await streams.stop();
      await host.stop('SIGKILL');
      await hosts.proxy.stop();
      await bouncer?.stop();
      await hosts.postgres.stop();
    });

    const gauge = async (name: string, ...labels: string[]): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const line = text
        .split('\n')
        .find((one) => one.startsWith(`${name}{`) && labels.every((label) => one.includes(label)));
      return Number(line?.split('} ')[1] ?? NaN);
    };
    const isHealthy = async () => (await fetch(`${host.url}/health/ready`)).status === 200 || undefined;

    for (const [name, outage] of some(pooled ? 1 : 2, pooled ? 4 : 0)) {
      it(`${name}: nothing committed is lost, no stream ends, and it heals`, async () => {
        const posting = (load.current = new IngestLoad(host.url));
        await eventually('events', () => posting.accepted.length > 20 || undefined);
        await outage.begin(hosts);
        await new Promise((resolve) => setTimeout(resolve, outage.lastsMs ?? OUTAGE_MS));
        await outage.end?.(hosts);
        const back = Date.now();
        const before = posting.accepted.length;
        await eventually('health', isHealthy, BOUND_MS);
        await eventually('an accepted event', () => posting.accepted.length > before || undefined, BOUND_MS);
        console.log(
          `${name}: healthy after ${Date.now() - back} ms; refused ${JSON.stringify(posting.refused)}`,
        );
        await posting.stop();
        // For streams, outages without a confirmation between them would count as one long outage.
        await eventually('confirmation of the streams', async () => {
          const age = await gauge('crossfade_push_loop_age', 'loop="reauthorization"');
          return age * 1000 < Date.now() - back || undefined;
        });

        expect(Object.keys(posting.refused).filter((status) => status !== '503')).toEqual([]);
        expect(posting.missesRetryAfter).toEqual([]);
        const stored = new Set(runSql(hosts.url, 'SELECT reference_id FROM events').split('\n'));
        expect(posting.accepted.filter((reference) => !stored.has(reference))).toEqual([]);
        expect(
          runSql(
            hosts.url,
            'SELECT (SELECT sum(total_occurrences) FROM stacks) = (SELECT count(*) FROM events)',
          ),
        ).toBe('t\n');
        const reports = await streams.report();
        expect(reports).toHaveLength(STREAMS);
        expect(reports.filter(({ isOpen, openings }) => !isOpen || openings > 1)).toEqual([]);
      });
    }

    it('resumes housekeeping, and releases the connections that it had', async () => {
      await eventually(
        'round of housekeeping',
        async () => (await gauge('crossfade_gateway_loop_age', 'loop="housekeeping"')) < 6 || undefined,
        15_000,
      );
      const used = ['crossfade_gateway_database_connections', 'pool="domain"', 'state="used"'] as const;
      await eventually('connections', async () => (await gauge(...used)) === 0 || undefined);
      await admin.json('POST', '/notifications/release', { value: 'after all of it' });
      await eventually('message on every stream', async () => {
        const reports = await streams.report();
        return reports.every(({ criticals }) => criticals.length === 1) || undefined;
      });
    });

    it('is logged in few lines, none of them an error of the server', () => {
      expect(host.output).not.toMatch(/terminating connection|duplicate key|params:|Key \(/);
      expect(host.output.split('\n').length).toBeLessThan(300);
    });
  });
}
