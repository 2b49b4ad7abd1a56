import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  AggregationTemporality,
} from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../testing/index.js';
import { readRedisAddress, type RedisAddress } from './address.js';
import { connectTo } from './failover.spec-kit.js';
import { openRedis } from './open.js';
import { freePort, RedisServer } from './redis-server.spec-kit.js';
import { checkServer, faultOf, readServerInfo } from './server-check.js';

const page = readFileSync(new URL('../../../../docs/operations/redis.md', import.meta.url), 'utf8');
const [documented = ''] = /^user crossfade .*$/m.exec(page) ?? [];
/** The words of the documented user, as options of redis-server. */
const user = (words: string) => ['--user', ...words.split(' ').slice(1)];
const onlyDocumented = [...user(documented), '--user', 'default', 'off'];

const addressOf = (url: string): RedisAddress => {
  const read = readRedisAddress(url);
  if ('fault' in read) throw new Error(read.fault);
  return read;
};
const open = (url: string, prefix = 'crossfade') =>
  openRedis({ address: addressOf(url), prefix, onError: () => undefined });
/** Opens a new server by an address that is made of its port, and returns the sentence that it fails with. */
async function sentence(settings: readonly string[], url: (port: number) => string): Promise<string> {
  const redis = await RedisServer.start(...settings);
  try {
    return await sentenceOf(url(redis.port));
  } finally {
    await redis.stop();
  }
}
async function sentenceOf(url: string): Promise<string> {
  const error: unknown = await open(url).then(
    (redis) => redis.close(),
    (refused: unknown) => refused,
  );
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: 'RedisFault' });
  expect((error as Error).message).not.toContain('SECRET');
  return (error as Error).message;
}

describe('the documented user', () => {
  it('may do all that is needed', async () => {
    const server = await RedisServer.start(...onlyDocumented);
    const redis = await open(`redis://crossfade:SECRET@127.0.0.1:${server.port}`);
    expect(redis.isReady).toBe(true);
    const limiter = redis.limiter('x', 1, 60);
    expect([await limiter.count('a'), await limiter.count('a')]).toMatchObject([
      { fits: true },
      { fits: false },
    ]);
    await limiter.forget('a');
    expect(await redis.commands.send('{crossfade}:x', ['XLEN', '{crossfade}:x'])).toBe(0);
    redis.close();
    await server.stop();
  });

  it('may do nothing else', async () => {
    const server = await RedisServer.start(...onlyDocumented);
    const redis = await open(`redis://crossfade:SECRET@127.0.0.1:${server.port}`);
    const { commands } = redis;
    await expect(commands.send('x', ['GET', 'x'])).rejects.toThrow('NOPERM');
    await expect(commands.send('x', ['CONFIG', 'GET', 'maxmemory'])).rejects.toThrow('NOPERM');
    await expect(commands.send('x', ['FLUSHALL'])).rejects.toThrow('NOPERM');
    redis.close();
    await server.stop();
  });

  it('has no command that the start does not need', async () => {
    // What it takes to connect, and what only a Cluster has, is not needed here.
    const connecting = ['+client|setname', '+select', '+cluster|slots', '+asking'];
    const commands = documented
      .split(' ')
      .filter((word) => word.startsWith('+') && !connecting.includes(word));
    expect(commands.length).toBeGreaterThan(30);
    const server = await RedisServer.start(...user(documented));
    const operator = await server.connect();
    const address = addressOf(`redis://crossfade:SECRET@127.0.0.1:${server.port}`);
    const connection = await connectTo(`redis://crossfade:SECRET@127.0.0.1:${server.port}`);
    for (const command of commands) {
      await operator.send('', ['ACL', 'SETUSER', 'crossfade', command.replace('+', '-')]);
      const name = command.slice(1).replace('|', ' ').toUpperCase();
      await expect(checkServer(connection, address, 'crossfade'), name).rejects.toThrow(
        `to run ${name} on our keys`,
      );
      await operator.send('', ['ACL', 'SETUSER', 'crossfade', command]);
    }
    await checkServer(connection, address, 'crossfade');
    connection.close();
    operator.close();
    await server.stop();
  });
});

describe('a start with Redis', () => {
  it('says that nothing is there', async () => {
    expect(await sentenceOf('redis://u:SECRET@127.0.0.1:1')).toBe(
      'Redis at 127.0.0.1:1 cannot be reached (ECONNREFUSED).',
    );
    expect(await sentenceOf('redis://u:SECRET@redis.invalid')).toMatch(
      /^Redis at redis.invalid:6379 cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/,
    );
    expect(await sentenceOf('redis+sentinel://u:SECRET@127.0.0.1:1/main')).toContain(
      'cannot be reached (ECONNREFUSED)',
    );
    expect(await sentenceOf('redis+cluster://u:SECRET@127.0.0.1:1')).toContain(
      'cannot be reached (ECONNREFUSED)',
    );
  });

  it('says that a server does not answer', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    const { port } = await eventually(
      'the port',
      () => (silent.address() as AddressInfo | null) ?? undefined,
    );
    expect(await sentenceOf(`redis://u:SECRET@127.0.0.1:${port}`)).toBe(
      `Redis at 127.0.0.1:${port} does not answer.`,
    );
    silent.close();
  }, 15_000);

  it('says what is wrong with user or password', async () => {
    const own = [...user(documented), '--requirepass', 'other'];
    expect(await sentence(own, (port) => `redis://crossfade:WRONG-SECRET@127.0.0.1:${port}`)).toContain(
      'refuses the user or the password',
    );
    expect(await sentence(own, (port) => `redis://nobody:SECRET@127.0.0.1:${port}`)).toContain(
      'refuses the user or the password',
    );
    expect(await sentence(own, (port) => `redis://127.0.0.1:${port}`)).toContain('wants a password');
    expect(await sentence([], (port) => `redis://:SECRET@127.0.0.1:${port}`)).toContain(
      'refuses the user or the password',
    );
  });

  it('names what the user may not do', async () => {
    const url = (port: number) => `redis://crossfade:SECRET@127.0.0.1:${port}`;
    const without = (word: string) => user(documented.replace(` ${word}`, ''));
    expect(await sentence(without('+client|setname'), url)).toContain('to run CLIENT SETNAME on our keys');
    expect(await sentence(without('~{crossfade}:*'), url)).toContain('to run any command on our keys');
    expect(await sentence(without('~crossfade:limit:*'), url)).toContain(
      'to run GET, PTTL, SET, DEL on our keys',
    );
  });

  it('says that every key may be evicted', async () => {
    const policy = (name: string) => ['--maxmemory', '100mb', '--maxmemory-policy', name];
    expect(await sentence(policy('allkeys-lru'), (port) => `redis://127.0.0.1:${port}`)).toContain(
      'evicts any key',
    );
    const server = await RedisServer.start(...policy('volatile-lru'));
    (await open(server.url)).close();
    await server.stop();
  });

  it('says that it is a replica, or of a Cluster, or none', async () => {
    const url = (port: number) => `redis://127.0.0.1:${port}`;
    expect(await sentence(['--replicaof', '127.0.0.1 1'], url)).toContain('is a replica');
    expect(await sentence(['--cluster-enabled', 'yes'], url)).toContain('must start with redis+cluster://');
    expect(await sentence([], (port) => `redis+cluster://127.0.0.1:${port}`)).toContain('no Cluster');
  });

  it('refuses a prefix that is none', async () => {
    await expect(open('redis://127.0.0.1:1', 'a b')).rejects.toThrow(RangeError);
    await expect(open('redis://127.0.0.1:1', '{a}')).rejects.toThrow(RangeError);
  });
});

describe('TLS', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  let settings: string[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'crossfade-tls-'));
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout',
        file('key.pem'),
        '-out',
        file('cert.pem'),
      ],
      { stdio: 'ignore' },
    );
    settings = [
      '--tls-cert-file',
      file('cert.pem'),
      '--tls-key-file',
      file('key.pem'),
      '--tls-auth-clients',
      'no',
    ];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('says that the certificate is not trusted, or that TLS is wanted, or not spoken', async () => {
    const server = await RedisServer.start(...settings, '--tls-port', '0');
    const operator = await server.connect();
    const tlsPort = await freePort();
    await operator.send('', ['CONFIG', 'SET', 'tls-port', String(tlsPort)]);
    operator.close();
    expect(await sentenceOf(`rediss://:SECRET@localhost:${tlsPort}`)).toContain(
      'name its authority in NODE_EXTRA_CA_CERTS',
    );
    expect(await sentenceOf(`redis://:SECRET@localhost:${tlsPort}`)).toContain('must start with rediss');
    expect(await sentenceOf(`rediss://:SECRET@localhost:${server.port}`)).toContain('does not answer by TLS');
    await server.stop();
  });
});

describe('what INFO says', () => {
  const address = addressOf('redis://h');
  it.each([
    ['redis_version:6.2.14\r\nmaxmemory_policy:noeviction', 'version 6.2.14; version 7.0 or later'],
    ['redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lfu', 'maxmemory-policy allkeys-lfu'],
    ['', 'version unknown'],
    ['redis_version:7.0.15\r\nredis_mode:sentinel', 'is a Sentinel'],
  ])('%j stops the start', (info, said) => {
    expect(faultOf(readServerInfo(info), address)).toContain(said);
  });

  it.each([
    '# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n',
    'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nmaxmemory_policy:volatile-ttl',
    'redis_version:10.1.0\r\nmaxmemory_policy:noeviction',
  ])('%j is fine', (info) => {
    expect(faultOf(readServerInfo(info), address)).toBeUndefined();
  });
});

it('counts how often it has connected again', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const valueOf = async (name: string) => {
    exporter.reset();
    await reader.forceFlush();
    const all = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    return all.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0]?.value;
  };
  const server = await RedisServer.start();
  const redis = await openRedis({ address: addressOf(server.url), onError: () => undefined, meterProvider });
  expect(await valueOf('crossfade.push.redis.ready')).toBe(1);
  expect(await valueOf('crossfade.push.redis.reconnects')).toBe(0);
  await server.kill();
  await eventually('the loss', async () => (await valueOf('crossfade.push.redis.ready')) === 0 || undefined);
  await server.start('kept');
  await eventually('the connections', () => redis.isReady || undefined);
  expect(await valueOf('crossfade.push.redis.ready')).toBe(1);
  expect(await valueOf('crossfade.push.redis.reconnects')).toBe(4);
  redis.close();
  await server.stop();
  await meterProvider.shutdown();
});
