import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../testing/index.js';
import { DeadlineError } from '../deadline.js';
import { ask, Cluster, connectTo, Sentinel } from './failover.spec-kit.js';
import { NotConnected } from './fault.js';
import { redisLimiters } from './limiter.js';
import { RedisServer } from './redis-server.spec-kit.js';
import { Script } from './script.js';
import { slotOf } from './slot.js';

describe('behind Sentinels', () => {
  it('goes on with the new master within the failover, and no command waits for it', async () => {
    const master = await RedisServer.start('--requirepass', 'pw', '--masterauth', 'pw');
    const replica = await RedisServer.start(
      '--requirepass',
      'pw',
      '--masterauth',
      'pw',
      '--replicaof',
      `127.0.0.1 ${master.port}`,
    );
    await eventually(
      'replication',
      async () =>
        /^slave0:/m.test(String(await ask(master.url.replace('//', '//:pw@'), 'INFO', 'replication'))) ||
        undefined,
      10_000,
    );
    // One Sentinel does not exist, and the other wants the password, too.
    const sentinel = await Sentinel.start(master.port, 'sentinel auth-pass main pw', 'requirepass pw');
    const url = `redis+sentinel://:pw@127.0.0.1:1,127.0.0.1:${sentinel.port}/main`;
    const connection = await eventually('the Sentinels', () => connectTo(url).catch(() => undefined), 10_000);
    expect(await connection.send('a', ['SET', 'a', '1'])).toBe('OK');
    await eventually(
      'the replica',
      async () => (await connection.send('a', ['WAIT', '1', '100'])) === 1 || undefined,
      10_000,
    );
    const info = async () => String(await connection.send('', ['INFO', 'replication']));
    await eventually(
      'a replica that the Sentinel knows',
      async () => {
        const known = await ask(`redis://:pw@127.0.0.1:${sentinel.port}`, 'SENTINEL', 'REPLICAS', 'main');
        return (known as unknown[]).length > 0 || undefined;
      },
      15_000,
    );
    expect(await info()).toContain('role:master');
    await master.kill();
    const slowest = { ms: 0 };
    const answered = await eventually(
      'the new master',
      async () => {
        const since = performance.now();
        const answer = await connection.send('a', ['GET', 'a']).catch(() => undefined);
        slowest.ms = Math.max(slowest.ms, performance.now() - since);
        return answer ?? undefined;
      },
      20_000,
    );
    expect(answered).toBe('1');
    expect(slowest.ms).toBeLessThan(2500);
    expect(await connection.send('a', ['SET', 'a', '2'])).toBe('OK');
    expect(connection.reconnects).toBe(1);
    connection.close();
    await Promise.all([sentinel.stop(), master.stop(), replica.stop()]);
  }, 60_000);

  it('says that they do not know the master', async () => {
    const master = await RedisServer.start();
    const sentinel = await Sentinel.start(master.port);
    await eventually('the Sentinel', () =>
      connectTo(`redis://127.0.0.1:${sentinel.port}`).then(
        (connection) => (connection.close(), true),
        () => undefined,
      ),
    );
    await expect(connectTo(`redis+sentinel://127.0.0.1:${sentinel.port}/other`)).rejects.toThrow(
      `The Sentinels at 127.0.0.1:${sentinel.port} know no master with the name other.`,
    );
    await Promise.all([sentinel.stop(), master.stop()]);
  });
});

it('leaves a server that was demoted to a replica once it refuses a write', async () => {
  const server = await RedisServer.start();
  const connection = await connectTo(server.url);
  await ask(server, 'REPLICAOF', '127.0.0.1', '1');
  await expect(connection.send('a', ['SET', 'a', '1'])).rejects.toThrow('READONLY');
  await eventually('another connection', () => connection.reconnects > 0 || undefined);
  const script = new Script(`#!lua\nreturn redis.call('SET', KEYS[1], '1')`);
  await expect(connection.run(script, ['a'], [])).rejects.toThrow('READONLY');
  await eventually('another connection', () => connection.reconnects > 1 || undefined);
  connection.close();
  await server.stop();
});

describe('a Cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  it('has limits on each of its nodes', async () => {
    const connection = await connectTo(cluster.url);
    const limiter = redisLimiters(connection, 'test')('n', 2, 60);
    for (let key = 0; key < 20; key += 1) {
      expect((await limiter.count(`k${key}`, 2)).fits).toBe(true);
      expect((await limiter.look(`k${key}`)).left).toBe(0);
      expect((await limiter.count(`k${key}`)).fits).toBe(false);
    }
    const key = 'test:limit:n:k3';
    expect(await connection.send(key, ['GET', key])).toBe('2');
    connection.close();
  });

  it('may be slow to say who has which slot when it is connected for the first time', async () => {
    const network = await Network.to(cluster.servers[0]?.port ?? 0);
    network.swallows = true;
    const connecting = connectTo(`redis+cluster://127.0.0.1:${network.port}`);
    await eventually('a second question', () => network.opened > 1 || undefined);
    network.swallows = false;
    const connection = await connecting;
    expect(await connection.send('a', ['PING'])).toBe('PONG');
    connection.close();
    await network.stop();
  });

  it('has each key on its master, and goes on after a failover and while slots move', async () => {
    const [first, second, , replica] = cluster.servers as [
      RedisServer,
      RedisServer,
      RedisServer,
      RedisServer,
    ];
    const connection = await connectTo(cluster.url);
    const keys = Array.from({ length: 50 }, (_, index) => `key-${index}`);
    for (const key of keys) expect(await connection.send(key, ['SET', key, key])).toBe('OK');
    const script = new Script(`#!lua\nreturn redis.call('GET', KEYS[1])`);
    for (const key of keys) expect(await connection.run(script, [key], [])).toBe(key);

    // A slot on its way: keys that are still there are read there, and new ones are asked for where it goes.
    const moving = keys.find((key) => slotOf(key) <= 5460) ?? '';
    const slot = String(slotOf(moving));
    const [from, to] = await Promise.all([ask(first, 'CLUSTER', 'MYID'), ask(second, 'CLUSTER', 'MYID')]);
    await ask(second, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(from));
    await ask(first, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(to));
    const fresh = `{${moving}}:fresh`;
    expect(await connection.send(moving, ['GET', moving])).toBe(moving);
    expect(await connection.send(fresh, ['SET', fresh, '1'])).toBe('OK');
    await ask(first, 'MIGRATE', '127.0.0.1', String(second.port), moving, '0', '1000');
    for (const server of [second, first]) await ask(server, 'CLUSTER', 'SETSLOT', slot, 'NODE', String(to));
    expect(await connection.send(moving, ['GET', moving])).toBe(moving);
    expect(await connection.send(fresh, ['GET', fresh])).toBe('1');

    const lost = keys.find((key) => slotOf(key) <= 5460 && key !== moving) ?? '';
    await eventually(
      'replication',
      async () => (await connection.send(lost, ['WAIT', '1', '100'])) === 1 || undefined,
      10_000,
    );
    expect(connection.reconnects).toBe(0);
    await first.kill();
    const slowest = { ms: 0 };
    const answer = await eventually(
      'the new master',
      async () => {
        const since = performance.now();
        const got = await connection.send(lost, ['GET', lost]).catch(() => undefined);
        slowest.ms = Math.max(slowest.ms, performance.now() - since);
        return got ?? undefined;
      },
      20_000,
    );
    expect(answer).toBe(lost);
    expect(slowest.ms).toBeLessThan(2500);
    for (const key of keys) expect(await connection.send(key, ['GET', key])).toBe(key);
    expect(String(await ask(replica, 'INFO', 'replication'))).toContain('role:master');
    expect(connection.isReady).toBe(true);
    connection.close();
  }, 60_000);
});

describe('a network that is cut off', () => {
  it('is left once a command has waited too long, also within the handshake of the next connection', async () => {
    const server = await RedisServer.start();
    const network = await Network.to(server.port);
    const connection = await connectTo(`redis://127.0.0.1:${network.port}`);
    network.swallows = true;
    await expect(connection.send('a', ['PING'], 200)).rejects.toBeInstanceOf(DeadlineError);
    // The next connection is accepted, and its handshake is never answered.
    await eventually('a second connection', () => network.opened > 1 || undefined);
    await expect(connection.send('a', ['PING'])).rejects.toBeInstanceOf(NotConnected);
    network.swallows = false;
    const since = performance.now();
    await eventually(
      'a third connection',
      () => connection.send('a', ['PING']).catch(() => undefined),
      10_000,
    );
    expect(performance.now() - since).toBeLessThan(8000);
    connection.close();
    await eventually('the end of all sockets', () => network.size === 0 || undefined);
    await network.stop();
    await server.stop();
  }, 30_000);

  it('leaves no socket of a connection that was closed while it was opened', async () => {
    const server = await RedisServer.start();
    const network = await Network.to(server.port);
    const connection = await connectTo(`redis://127.0.0.1:${network.port}`);
    for (let times = 0; times < 20; times += 1) {
      connection.reopen();
      if (times % 2 === 0) await new Promise((resolve) => setTimeout(resolve, times));
    }
    await eventually('the connection', () => connection.send('a', ['PING']).catch(() => undefined));
    await eventually('the end of all others', () => network.size === 1 || undefined);
    connection.close();
    await eventually('the end of all', () => network.size === 0 || undefined);
    await network.stop();
    await server.stop();
  });

  it('is not suspected because this process was busy', async () => {
    const server = await RedisServer.start();
    const connection = await connectTo(server.url);
    const sent = connection.send('a', ['PING'], 50);
    // Once it is on its way, nothing else happens here for longer than its deadline.
    await new Promise((resolve) => setImmediate(resolve));
    for (const until = performance.now() + 200; performance.now() < until;);
    expect(await sent).toBe('PONG');
    expect(connection.reconnects).toBe(0);
    connection.close();
    await server.stop();
  });
});

it('knows the slots of keys', () => {
  // From the specification of Redis Cluster, and from `CLUSTER KEYSLOT`.
  expect(slotOf('123456789')).toBe(0x31c3);
  expect(slotOf('{user1000}.following')).toBe(slotOf('{user1000}.followers'));
  expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'));
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'));
});

/** A network before a server, which can swallow everything that is sent through it. */
class Network {
  swallows = false;
  opened = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => {
    this.opened += 1;
    const server = connect(this.target, '127.0.0.1');
    this.#sockets.add(client);
    // A connection that was opened while bytes were lost has lost its beginning for good.
    let isLost = this.swallows;
    const pass = (from: Socket, to: Socket) => {
      from.on('error', () => undefined);
      from.on('data', (bytes) => {
        isLost ||= this.swallows;
        if (!isLost) to.write(bytes);
      });
      from.on('close', () => {
        this.#sockets.delete(client);
        to.destroy();
      });
    };
    pass(client, server);
    pass(server, client);
  });

  private constructor(private readonly target: number) {}

  static async to(target: number): Promise<Network> {
    const network = new Network(target);
    await new Promise<void>((resolve) => network.#server.listen(0, '127.0.0.1', resolve));
    return network;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get size(): number {
    return this.#sockets.size;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
