import { setTimeout as wait } from 'node:timers/promises';
import { catalog } from '@crossfade/protocol/catalog';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from '../admission.spec-kit.js';
import { systemClock, type Clock } from '../clock.js';
import type { ConnectRequest } from '../connect-request.js';
import type { Acquired, ConnectionId, LeaseOwner } from '../lease.js';
import { leaseStoreContract, ListedHolders } from '../lease.spec-kit.js';
import { PushMetrics } from '../metrics.js';
import { createPush } from '../push.js';
import { ScriptedTransport } from '../scripted.spec-kit.js';
import { eventually } from '../testing/index.js';
import type { RedisConnection } from './connection.js';
import type { Reply } from './reply.js';
import { LeaseCommands } from './lease-commands.js';
import { LeaseKeys } from './lease-keys.js';
import { RedisLeaseStore } from './lease-store.js';
import { RedisServer } from './redis-server.spec-kit.js';
import { Script } from './script.js';

/** So long that no test waits for one: tests call `round`, and say which incarnation is dead. */
const NEVER = 600;

let redis: RedisServer;
/** What a test looks at Redis with. */
let looking: RedisConnection;
let prefixes = 0;
const nextPrefix = (): string => `test${(prefixes += 1)}`;

beforeAll(async () => {
  redis = await RedisServer.start('--appendonly', 'no');
  looking = await redis.connect();
});
afterAll(async () => {
  await looking.close();
  await redis.stop();
});

/** The clock of a process that can be stopped and woken: what is due meanwhile is called when it wakes. */
class StoppableClock implements Clock {
  #isStopped = false;
  #due: (() => void)[] = [];
  now = systemClock.now;
  elapsed = systemClock.elapsed;

  after(milliseconds: number, call: () => void): () => void {
    let isCancelled = false;
    const cancel = systemClock.after(milliseconds, () => {
      const once = () => (isCancelled ? undefined : call());
      if (this.#isStopped) this.#due.push(once);
      else once();
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  stop(): void {
    this.#isStopped = true;
  }

  wake(): void {
    this.#isStopped = false;
    for (const call of this.#due.splice(0)) call();
  }
}

/** A store with a connection of its own, and the connections that hold its leases. */
class Replica {
  readonly holders = new ListedHolders();
  readonly clock = new StoppableClock();
  readonly metrics = new PushMetrics();
  readonly errors: string[] = [];
  readonly store: RedisLeaseStore;
  /** Its first incarnation. */
  first = '';
  isKilled = false;

  private constructor(
    readonly connection: RedisConnection,
    readonly prefix: string,
    heartbeatSeconds: number,
  ) {
    this.store = new RedisLeaseStore(connection, { prefix, heartbeatSeconds });
  }

  static async start(prefix: string, heartbeatSeconds = NEVER, server = redis): Promise<Replica> {
    const replica = new Replica(await server.connect(), prefix, heartbeatSeconds);
    const { clock, metrics, errors } = replica;
    const look = await server.connect();
    const before = await incarnations(prefix, look);
    await replica.store.start(replica.holders, {
      clock,
      metrics,
      onError: (_error, doing) => errors.push(doing),
    });
    replica.first = (await incarnations(prefix, look)).find((one) => !before.includes(one)) ?? '';
    await look.close();
    return replica;
  }

  static async startAll(count: number, heartbeatSeconds = NEVER): Promise<Replica[]> {
    const prefix = nextPrefix();
    const replicas: Replica[] = [];
    while (replicas.length < count) replicas.push(await Replica.start(prefix, heartbeatSeconds));
    return replicas;
  }

  async open(
    owners: readonly LeaseOwner[],
    connection: ConnectionId,
    replaces?: ConnectionId,
  ): Promise<Acquired['outcome']> {
    const { outcome } = await this.store.acquire(owners, connection, replaces);
    if (outcome !== 'full') this.holders.add(owners, connection);
    return outcome;
  }

  async end(connection: ConnectionId): Promise<void> {
    const held = this.holders.open.get(connection);
    this.holders.open.delete(connection);
    if (held !== undefined) await this.store.release(held.owners, connection);
  }

  /** The process ends, or stops for ever: nobody releases anything. */
  async kill(): Promise<void> {
    this.isKilled = true;
    this.clock.stop();
    await this.connection.close();
  }

  async stop(): Promise<void> {
    await this.store.close();
    await this.connection.close();
  }
}

const COUNT = new Script(`#!lua flags=no-writes
local living = 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, one in ipairs(redis.call('HVALS', KEYS[2])) do
  local beat = redis.call('ZSCORE', KEYS[1], one)
  if beat and now - tonumber(beat) < tonumber(ARGV[1]) then living = living + 1 end
end
return living`);

/** The leases of an owner that count. */
const living = (prefix: string, owner: string, heartbeatSeconds = NEVER, at = looking): Promise<Reply> =>
  at.run(COUNT, [`{${prefix}}:replicas`, `{${prefix}}:lease:${owner}`], [String(3000 * heartbeatSeconds)]);

const keysOf = async (prefix: string): Promise<string[]> =>
  ((await looking.send('', ['KEYS', `{${prefix}}:*`])) as string[])
    .map((key) => key.slice(prefix.length + 3))
    .sort();

const incarnations = async (prefix: string, at = looking): Promise<string[]> =>
  (await at.send('', ['ZRANGE', `{${prefix}}:replicas`, '0', '-1'])) as string[];

/** What three missing heartbeats do. */
const lapse = (prefix: string, incarnation: string): Promise<Reply> =>
  looking.send('', ['ZADD', `{${prefix}}:replicas`, 'XX', '0', incarnation]);

const ann = (limit: number): LeaseOwner => ({ owner: 'user:ann', limit });
const acme = (limit: number): LeaseOwner => ({ owner: 'tenant:acme', limit });

describe('the contract', () => {
  leaseStoreContract(
    'RedisLeaseStore',
    () => new RedisLeaseStore(looking, { prefix: nextPrefix(), heartbeatSeconds: NEVER }),
  );

  it('leaves no key behind', async () => {
    expect(await looking.send('', ['KEYS', '*'])).toEqual([]);
  });
});

describe('leases that replicas share', () => {
  it('are never more than the limit, however many are asked for at once', async () => {
    const replicas = await Replica.startAll(3);
    const [{ prefix }] = replicas as [Replica];
    let most = 0;
    let granted = 0;
    let isDone = false;
    const sampling = (async () => {
      while (!isDone) most = Math.max(most, (await living(prefix, 'user:ann')) as number);
    })();
    const attempt = async (index: number): Promise<void> => {
      const replica = replicas[index % 3] as Replica;
      await wait(Math.random() * 300);
      if ((await replica.open([ann(10)], `c${index}`)) === 'full') return;
      granted += 1;
      await wait(Math.random() * 50);
      await replica.end(`c${index}`);
    };
    await Promise.all(Array.from({ length: 1000 }, (_, index) => attempt(index)));
    isDone = true;
    await sampling;
    expect(most).toBe(10);
    expect(granted).toBeGreaterThan(20);
    expect(await keysOf(prefix)).toEqual(['replicas']);
    for (const replica of replicas) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('of a replica that stopped count no more; it acquires those again that still fit when it wakes', async () => {
    const beat = 0.3;
    const [asleep, awake] = (await Replica.startAll(2, beat)) as [Replica, Replica];
    const { prefix } = asleep;
    for (let index = 0; index < 10; index += 1) await asleep.open([ann(10)], `a${index}`);
    expect(await awake.open([ann(10)], 'b0')).toBe('full');
    asleep.clock.stop();
    await eventually('a lease', async () => (await awake.open([ann(10)], 'b0')) === 'acquired' || undefined);
    for (let index = 1; index < 4; index += 1) await awake.open([ann(10)], `b${index}`);
    expect(await living(prefix, 'user:ann', beat)).toBe(4);
    // Nobody renews what has lapsed: not even what is asked for before the next heartbeat.
    expect(await asleep.open([ann(10)], 'a10')).toBe('full');
    asleep.clock.wake();
    expect(asleep.holders.lostOnes.map(({ connection, loss }) => `${connection} ${loss}`)).toEqual(
      ['a6', 'a7', 'a8', 'a9'].map((id) => `${id} lease_lost`),
    );
    expect(await living(prefix, 'user:ann', beat)).toBe(10);
    expect(awake.holders.lostOnes).toEqual([]);
    expect(asleep.metrics.leases).toMatchObject({ lapses: 1, reacquired: { kept: 6, lost: 4, replaced: 0 } });
    for (const replica of [asleep, awake]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('are all acquired again, in batches, when Redis has forgotten them', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    const owners = (index: number) => [{ owner: `user:${index >> 1}`, limit: 2 }, acme(1200)];
    for (let index = 0; index < 1200; index += 1) await one.open(owners(index), `c${index}`);
    await looking.send('', ['FLUSHALL']);
    const before = (await looking.send('', ['INFO', 'commandstats'])) as string;
    await one.store.round();
    const after = (await looking.send('', ['INFO', 'commandstats'])) as string;
    expect(callsOf(after) - callsOf(before)).toBeLessThan(12);
    expect(one.holders.lostOnes).toEqual([]);
    expect(one.metrics.leases).toMatchObject({ lapses: 1, reacquired: { kept: 1200, lost: 0 } });
    expect(await living(prefix, 'tenant:acme')).toBe(1200);
    expect(await living(prefix, 'user:7')).toBe(2);
    // At the limit, among as many dead ones: they are counted once, and Redis is not held up.
    for (const incarnation of await incarnations(prefix)) await lapse(prefix, incarnation);
    await one.store.round();
    const last = (await looking.send('', ['INFO', 'commandstats'])) as string;
    expect(statOf(last, 'usec') - statOf(after, 'usec')).toBeLessThan(300_000);
    expect(one.metrics.leases).toMatchObject({ lapses: 2, reacquired: { kept: 2400, lost: 0 } });
    // The other one had forgotten that it lives, too.
    expect(await two.open([ann(1), acme(1200)], 'd')).toBe('full');
    expect(await two.open([ann(1)], 'd')).toBe('acquired');
    await one.stop();
    await two.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('are acquired again after Redis was connected again, since its last second may be lost', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    await one.open([ann(1)], 'c1');
    for (const id of ['d1', 'd2', 'd3']) await one.open([acme(3)], id);
    // The incarnation still lives there, and has what was not lost.
    await looking.send('', ['DEL', `{${prefix}}:lease:user:ann`]);
    one.connection.reopen();
    await eventually('the connection', () => one.connection.isReady || undefined);
    expect(await one.open([ann(1)], 'c2')).toBe('full');
    expect(await two.open([ann(1)], 'c3')).toBe('full');
    expect(one.holders.lostOnes).toEqual([]);
    expect(one.metrics.leases).toMatchObject({ lapses: 0, reacquired: { kept: 4 } });
    await one.stop();
    await two.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('are acquired once more when they lapse before the answer comes', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    const run = one.connection.run.bind(one.connection);
    let answer: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    one.connection.run = async (...asked) => {
      one.connection.run = run;
      const reply = await run(...asked);
      await gate;
      return reply;
    };
    const late = one.open([ann(1)], 'c1');
    await eventually('a lease', async () => (await living(prefix, 'user:ann')) === 1 || undefined);
    await lapse(prefix, one.first);
    expect(await two.open([ann(1)], 'c2')).toBe('acquired');
    await one.store.round();
    answer();
    expect(await late).toBe('full');
    for (const replica of [one, two]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('are not begun for a dead incarnation, nor swept from a living one', async () => {
    const [one] = (await Replica.startAll(1)) as [Replica];
    const { prefix, connection } = one;
    await one.open([ann(1)], 'c1');
    const before = await keysOf(prefix);
    const commands = new LeaseCommands(connection, new LeaseKeys(prefix), NEVER * 3000);
    expect(await commands.heartbeat('dead', 'beat')).toBe('lapsed');
    expect(await commands.acquire('dead', [ann(2)], 'c2', undefined)).toBe('lapsed');
    expect(await commands.reacquire('dead', [{ connection: 'c2', owners: [ann(2)] }])).toBe('lapsed');
    expect(await commands.sweep(one.first, 'dead')).toBe(true);
    expect(await keysOf(prefix)).toEqual(before);
    expect(await living(prefix, 'user:ann')).toBe(1);
    await one.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('are all released by closing, also while they are acquired again', async () => {
    const [one] = (await Replica.startAll(1)) as [Replica];
    await one.open([ann(2)], 'c1');
    await looking.send('', ['FLUSHALL']);
    const run = one.connection.run.bind(one.connection);
    one.connection.run = async (...asked) => {
      const reply = await run(...asked);
      await wait(100);
      return reply;
    };
    const late = one.store.round().catch(() => undefined);
    await eventually('an incarnation', async () => (await incarnations(one.prefix)).length > 0 || undefined);
    await one.store.close();
    await late;
    expect(await keysOf(one.prefix)).toEqual([]);
    await one.connection.close();
  });

  it('of a killed replica are swept by those that live on, until nothing is left of it', async () => {
    const [dead, alive] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = dead;
    for (let index = 0; index < 700; index += 1)
      await dead.open([acme(1000), { owner: `user:${index}`, limit: 1 }], `c${index}`);
    await dead.kill();
    await alive.store.round();
    expect(await living(prefix, 'tenant:acme')).toBe(700);
    await lapse(prefix, dead.first);
    // One of its leases is another's by now.
    expect(await alive.open([{ owner: 'user:5', limit: 1 }], 'd5')).toBe('acquired');
    await alive.store.round();
    expect(await keysOf(prefix)).toEqual([expect.stringMatching(/^held:/), 'lease:user:5', 'replicas']);
    await alive.end('d5');
    expect(await keysOf(prefix)).toEqual(['replicas']);
    expect(await incarnations(prefix)).toHaveLength(1);
    await alive.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });
});

/** How many scripts Redis has run, and how long they took, microseconds. */
const statOf = (info: string, what: 'calls' | 'usec'): number =>
  Number(new RegExp(`cmdstat_evalsha:.*?${what}=(\\d+)`).exec(info)?.[1] ?? 0);
const callsOf = (info: string): number => statOf(info, 'calls');

describe('a heartbeat', () => {
  it('is one command that costs the same for 10 and for 10,000 connections', async () => {
    const costs: number[] = [];
    for (const connections of [10, 10_000]) {
      const replica = await Replica.start(nextPrefix());
      for (let index = 0; index < connections; index += 1) {
        replica.holders.add([{ owner: `user:${index >> 3}`, limit: 10 }, acme(20_000)], `c${index}`);
      }
      await lapse(replica.prefix, replica.first);
      await replica.store.round();
      expect(await living(replica.prefix, 'tenant:acme')).toBe(connections);
      const rounds = 50;
      await replica.store.round();
      const before = (await looking.send('', ['INFO', 'commandstats'])) as string;
      for (let round = 0; round < rounds; round += 1) await replica.store.round();
      const after = (await looking.send('', ['INFO', 'commandstats'])) as string;
      expect(callsOf(after) - callsOf(before)).toBe(rounds);
      costs.push((statOf(after, 'usec') - statOf(before, 'usec')) / rounds);
      await replica.stop();
      expect(await keysOf(replica.prefix)).toEqual([]);
    }
    const [few = 0, many = Infinity] = costs;
    expect(many).toBeLessThan(5 * few);
  });
});

describe('a lease that is taken over on another replica', () => {
  it('is handed over at the limit; the old stream is replaced at the next heartbeat, and its release does nothing', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    const owners = [ann(2), acme(2)];
    await one.open(owners, 'c1');
    await one.open(owners, 'c2');
    expect(await two.open(owners, 'c3')).toBe('full');
    expect(await two.open([ann(2)], 'c3', 'c1')).toBe('taken_over');
    expect(await two.open(owners, 'c4', 'c2')).toBe('taken_over');
    // Its client has closed the old stream by itself.
    await one.end('c2');
    await one.store.round();
    expect(one.holders.lostOnes).toEqual([{ connection: 'c1', loss: 'replaced' }]);
    expect(one.metrics.leases.reacquired).toEqual({ kept: 0, lost: 0, replaced: 1 });
    await one.store.release(owners, 'c1');
    expect(await living(prefix, 'user:ann')).toBe(2);
    await one.store.round();
    expect(one.holders.lostOnes).toHaveLength(1);
    await two.end('c3');
    await two.end('c4');
    expect(await keysOf(prefix)).toEqual(['replicas']);
    for (const replica of [one, two]) await replica.stop();
  });

  it('is acquired again by the old stream, if the successor came to nothing and it still fits', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    await one.open([ann(2)], 'c1');
    await one.open([ann(2)], 'c2');
    for (const id of ['c1', 'c2']) {
      expect(await two.open([ann(2)], `${id}-next`, id)).toBe('taken_over');
      await two.end(`${id}-next`);
    }
    // Somebody else is faster.
    expect(await two.open([ann(2)], 'd')).toBe('acquired');
    await one.store.round();
    expect(one.holders.lostOnes).toEqual([{ connection: 'c2', loss: 'lease_lost' }]);
    expect([...one.holders.open.keys()]).toEqual(['c1']);
    expect(await living(prefix, 'user:ann')).toBe(2);
    for (const replica of [one, two]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('is acquired again if its successor has died', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    await one.open([ann(1)], 'c1');
    expect(await two.open([ann(1)], 'c2', 'c1')).toBe('taken_over');
    await two.kill();
    await lapse(prefix, two.first);
    await one.store.round();
    expect(one.holders.lostOnes).toEqual([]);
    expect(one.metrics.leases.reacquired).toEqual({ kept: 1, lost: 0, replaced: 0 });
    await one.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('is not acquired again by a stream that ends just then', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    for (let lead = 0; lead < 100; lead += 1) {
      const id = `c${lead}`;
      await one.open([ann(2)], id);
      await two.open([ann(2)], 'next', id);
      // A server that does not know a script is asked twice, and another call may pass in between.
      await looking.send('', ['SCRIPT', 'FLUSH']);
      await two.end('next');
      await two.store.round();
      const round = one.store.round();
      for (let turn = 0; turn < lead; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      await one.end(id);
      await round;
      expect(await keysOf(prefix), `lead ${lead}`).not.toContain('lease:user:ann');
    }
    for (const replica of [one, two]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('is not taken over from the dead', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    await one.open([ann(1)], 'c1');
    await lapse(prefix, one.first);
    expect(await two.open([ann(1)], 'c2')).toBe('acquired');
    expect(await two.open([ann(1)], 'c3', 'c1')).toBe('full');
    for (const replica of [one, two]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });
});

describe('while Redis is away', () => {
  it('a release that fails is made good after it, and does not come too late for a lease that was lost anyway', async () => {
    const server = await RedisServer.start();
    const look = await server.connect();
    const replica = await Replica.start('p', NEVER, server);
    for (const id of ['c1', 'c2', 'c3']) await replica.open([ann(3)], id);
    await server.kill();
    await expect(replica.open([ann(3)], 'c4')).rejects.toThrow();
    await expect(replica.end('c1')).rejects.toThrow();
    await expect(replica.end('c2')).rejects.toThrow();
    await expect(replica.store.round()).rejects.toThrow();
    expect(replica.metrics.leases.unreleased).toBe(2);
    await server.start('kept');
    for (const one of [look, replica.connection])
      await eventually('a connection', () => one.isReady || undefined);
    expect(await living('p', 'user:ann', NEVER, look)).toBe(3);
    await replica.store.round();
    expect(replica.metrics.leases.unreleased).toBe(0);
    expect(await living('p', 'user:ann', NEVER, look)).toBe(1);
    expect(replica.holders.lostOnes).toEqual([]);

    await server.kill();
    await expect(replica.end('c3')).rejects.toThrow();
    await server.start('lost');
    for (const one of [look, replica.connection])
      await eventually('a connection', () => one.isReady || undefined);
    await replica.store.round();
    expect(replica.metrics.leases.unreleased).toBe(0);
    expect(await look.send('', ['KEYS', '*'])).toEqual(['{p}:replicas']);
    await replica.stop();
    await look.close();
    await server.stop();
  });

  it('nothing is lost by closing: others sweep what could not be released', async () => {
    const [one, two] = (await Replica.startAll(2)) as [Replica, Replica];
    const { prefix } = one;
    await one.open([ann(1)], 'c1');
    await one.connection.close();
    await one.store.close();
    expect(one.errors).toEqual(['releasing all leases; other replicas do that within three heartbeats']);
    await expect(one.open([ann(1)], 'c2')).rejects.toThrow('the lease store is closed');
    await one.end('c1');
    await lapse(prefix, one.first);
    await two.store.round();
    expect(await keysOf(prefix)).toEqual(['replicas']);
    await two.stop();
  });

  it('goes on on a server that is full, so that leases are released at all', async () => {
    const server = await RedisServer.start(
      '--maxmemory',
      '4mb',
      '--maxmemory-policy',
      'noeviction',
      '--appendonly',
      'no',
    );
    const look = await server.connect();
    const [one, two] = [await Replica.start('p', NEVER, server), await Replica.start('p', NEVER, server)];
    await one.open([ann(5)], 'c1');
    const fill = async (): Promise<void> => {
      for (let index = 0; ; index += 1) await look.send('', ['SET', `fill${index}`, 'x'.repeat(50_000)]);
    };
    await expect(fill()).rejects.toThrow('OOM');
    for (const replica of [one, two]) await replica.store.round();
    expect(await two.open([ann(5)], 'c2')).toBe('acquired');
    expect(await two.open([ann(5)], 'c3', 'c1')).toBe('taken_over');
    await one.store.round();
    expect(one.holders.lostOnes).toEqual([{ connection: 'c1', loss: 'replaced' }]);
    await two.end('c2');
    await look.send('', ['ZREM', '{p}:replicas', one.first]);
    for (const replica of [one, two]) await replica.store.round();
    expect(await living('p', 'user:ann', NEVER, look)).toBe(1);
    for (const replica of [one, two]) await replica.stop();
    expect(await look.send('', ['KEYS', '{p}*'])).toEqual([]);
    await look.close();
    await server.stop();
  });
});

/** The library as a program wires it, with its leases in Redis; every token is the user `ann`'s. */
async function startLibrary(server: RedisServer, prefix: string, limit: number) {
  const connection = await server.connect();
  const errors: string[] = [];
  const push = createPush({
    catalog,
    authenticator: {
      authenticate: async (tokenId) => ({
        outcome: 'authenticated',
        principal: { userId: 'ann', tokenId, organizationIds: new Set() },
      }),
    },
    leases: new RedisLeaseStore(connection, { prefix, heartbeatSeconds: BEAT }),
    maxConnectionsPerOwner: limit,
    drainSeconds: 0,
    logger: { log: () => undefined, warn: () => undefined, error: (line) => errors.push(line) },
  });
  await push.start();
  let tokens = 0;
  const admit = (over: Partial<ConnectRequest>, gone = new AbortController()) =>
    // Each with a token of its own, since a refusal is remembered for its token.
    push.parts.admission.admit(request({ credential: `t${(tokens += 1)}`, ...over }), gone.signal);
  const connect = async (over: Partial<ConnectRequest> = {}) => {
    const admitted = await admit(over);
    if (admitted.outcome !== 'admitted') return admitted;
    const transport = new ScriptedTransport();
    const opened = await push.parts.streams.open(admitted, transport, new AbortController().signal);
    return opened.outcome === 'opened' ? { ...opened, transport } : opened;
  };
  /** A stream that must open. */
  const open = async (over: Partial<ConnectRequest> = {}) => {
    const opened = await connect(over);
    if (opened.outcome !== 'opened') throw new Error(JSON.stringify(opened));
    return opened;
  };
  const stop = async (): Promise<void> => {
    for (const { transport } of [...push.parts.hub.all()]) transport.destroy();
    await push.drain();
    await push.close();
    await connection.close();
  };
  return { push, errors, admit, connect, open, stop, hub: push.parts.hub, metrics: push.parts.metrics };
}

/** Seconds between heartbeats where a test waits for them. */
const BEAT = 0.3;

describe('the streams of the library', () => {
  it('stay while Redis hangs for longer than three heartbeats, new ones are refused within a second, and all goes on', async () => {
    const server = await RedisServer.start();
    const look = await server.connect();
    const { connect, open, stop, hub, metrics, errors } = await startLibrary(server, 'p', 4);
    const streams = [await open(), await open(), await open()];
    server.pause();
    const since = performance.now();
    expect(await connect()).toMatchObject({ refusal: { reason: 'unavailable' } });
    expect(performance.now() - since).toBeLessThan(1000);
    streams[2]?.transport.close();
    await eventually('a failed release', () => metrics.leases.unreleased === 1 || undefined);
    await wait(4 * BEAT * 1000);
    expect(await connect()).toMatchObject({ refusal: { reason: 'unavailable' } });
    server.resume();
    const next = await eventually('a stream', async () => {
      const opened = await connect();
      return opened.outcome === 'opened' ? opened : undefined;
    });
    for (const { transport } of [...streams.slice(0, 2), next]) expect(transport.ended).toBeUndefined();
    expect(hub.size).toBe(3);
    await eventually(
      'the leases',
      async () => (await living('p', 'user:ann', BEAT, look)) === 3 || undefined,
    );
    await eventually('the release', () => metrics.leases.unreleased === 0 || undefined);
    await open();
    expect(await connect()).toMatchObject({ refusal: { reason: 'limit' } });
    expect(errors.length).toBeGreaterThan(0);
    for (const { transport } of streams) transport.close();
    next.transport.close();
    await stop();
    expect(await look.send('', ['ZCARD', '{p}:replicas'])).toBe(0);
    await look.close();
    await server.stop();
  });

  it('stay when Redis forgets everything', async () => {
    const prefix = nextPrefix();
    const { open, connect, stop } = await startLibrary(redis, prefix, 2);
    const streams = [await open(), await open()];
    await looking.send('', ['FLUSHALL']);
    await eventually('the leases', async () => (await living(prefix, 'user:ann', BEAT)) === 2 || undefined);
    expect(streams.map(({ transport }) => transport.ended)).toEqual([undefined, undefined]);
    expect(await connect()).toMatchObject({ refusal: { reason: 'limit' } });
    await stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('are replaced by streams of another replica, and end there', async () => {
    const prefix = nextPrefix();
    const [one, two] = [await startLibrary(redis, prefix, 1), await startLibrary(redis, prefix, 1)];
    const first = await one.open();
    expect(await two.connect({ credential: 'same' })).toMatchObject({ refusal: { reason: 'limit' } });
    // The refusal is remembered for that token, and does not hold for who takes a lease over.
    await two.open({ credential: 'same', replaces: first.connection.id });
    await eventually('its end', () => first.transport.ended);
    expect([first.transport.ended, one.hub.size, two.hub.size]).toEqual(['replaced', 0, 1]);
    expect(await living(prefix, 'user:ann', BEAT)).toBe(1);
    for (const replica of [one, two]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });

  it('keep their leases if the stream that was to replace them on another replica never opened', async () => {
    const prefix = nextPrefix();
    const [one, two] = [await startLibrary(redis, prefix, 1), await startLibrary(redis, prefix, 1)];
    const first = await one.open();
    const gone = new AbortController();
    expect((await two.admit({ replaces: first.connection.id }, gone)).outcome).toBe('admitted');
    gone.abort();
    await eventually('its lease', () => one.metrics.leases.reacquired.kept === 1 || undefined);
    expect(await two.connect()).toMatchObject({ refusal: { reason: 'limit' } });
    expect([first.transport.ended, one.hub.size, two.hub.size]).toEqual([undefined, 1, 0]);
    for (const replica of [one, two]) await replica.stop();
    expect(await keysOf(prefix)).toEqual([]);
  });
});

const OWNERS: Record<string, readonly LeaseOwner[]> = {
  a: [{ owner: 'user:a', limit: 2 }],
  b: [{ owner: 'user:b', limit: 1 }],
  at: [{ owner: 'token:a', limit: 2 }, acme(3)],
  bt: [{ owner: 'token:b', limit: 2 }, acme(3)],
};
const LIMITS = new Map(Object.values(OWNERS).flatMap((of) => of.map(({ owner, limit }) => [owner, limit])));
const on = fc.nat(2);
const which = fc.nat(20);
const of = fc.constantFrom(...Object.keys(OWNERS));
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('open' as const), on, of }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('move' as const), on, which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('moveInVain' as const), on, which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), on, which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lapse' as const), on, which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reconnect' as const), on }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('round' as const), on }) },
);
const BREAKING = new Set(['lapse', 'kill', 'flush', 'reconnect']);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Three replicas that share leases, and the streams that are open on them. */
class World {
  readonly prefix = nextPrefix();
  readonly replicas: Replica[] = [];
  readonly outcomes = { kept: 0, lost: 0, replaced: 0 };
  #ids = 0;

  async start(): Promise<void> {
    while (this.replicas.length < 3) this.replicas.push(await Replica.start(this.prefix));
  }

  streams() {
    return this.replicas.flatMap((replica) =>
      [...replica.holders.open.values()].map((lease) => ({ replica, ...lease })),
    );
  }

  async do(one: Step): Promise<void> {
    const replica = this.replicas[one.on] as Replica;
    const streams = this.streams();
    const stream = 'which' in one ? streams[one.which % Math.max(1, streams.length)] : undefined;
    const id = `c${(this.#ids += 1)}`;
    switch (one.do) {
      case 'open':
        await replica.open(OWNERS[one.of] ?? [], id);
        break;
      case 'move':
        if (stream === undefined) break;
        // A replica sees to its own streams. Another one hears of it.
        if (
          (await replica.open(stream.owners, id, stream.connection)) !== 'full' &&
          stream.replica === replica
        )
          await stream.replica.end(stream.connection);
        break;
      case 'moveInVain': {
        if (stream === undefined || stream.replica === replica) break;
        const { outcome } = await replica.store.acquire(stream.owners, id, stream.connection);
        if (outcome !== 'full') await replica.store.release(stream.owners, id);
        break;
      }
      case 'end':
        await stream?.replica.end(stream.connection);
        break;
      case 'lapse':
        await lapse(this.prefix, (await incarnations(this.prefix)).at(one.which % 3) ?? '');
        break;
      case 'kill':
        await this.#kill(one.on);
        break;
      case 'flush':
        await looking.send('', ['FLUSHALL']);
        break;
      case 'reconnect':
        replica.connection.reopen();
        await eventually('the connection', () => replica.isKilled || replica.connection.isReady || undefined);
        break;
      case 'round':
        await replica.store.round();
    }
  }

  async #kill(index: number): Promise<void> {
    const killed = this.replicas[index] as Replica;
    this.#count(killed);
    this.replicas[index] = await Replica.start(this.prefix);
    await killed.kill();
    // Nobody knows which is its own by now, so all of them lapse.
    for (const incarnation of await incarnations(this.prefix)) await lapse(this.prefix, incarnation);
  }

  async neverOverLimit(): Promise<void> {
    for (const [owner, limit] of LIMITS) {
      expect(await living(this.prefix, owner), owner).toBeLessThanOrEqual(limit);
    }
  }

  /** Heartbeats until everybody has heard of everything; then who is open has leases, and nobody else. */
  async settle(): Promise<void> {
    for (const replica of [...this.replicas, ...this.replicas]) await replica.store.round();
    await this.neverOverLimit();
    const expected = this.streams().flatMap(({ connection, owners }) =>
      owners.map(({ owner }) => `${owner} ${connection}`),
    );
    const found: string[] = [];
    for (const owner of LIMITS.keys()) {
      const held = (await looking.send('', ['HKEYS', `{${this.prefix}}:lease:${owner}`])) as string[];
      found.push(...held.map((connection) => `${owner} ${connection}`));
    }
    expect(found.sort()).toEqual(expected.sort());
  }

  async endAll(): Promise<void> {
    for (const { replica, connection } of this.streams()) await replica.end(connection);
    expect(await keysOf(this.prefix)).toEqual(['replicas']);
    for (const replica of this.replicas) {
      this.#count(replica);
      await replica.stop();
    }
    expect(await keysOf(this.prefix)).toEqual([]);
  }

  #count({ metrics }: Replica): void {
    for (const key of ['kept', 'lost', 'replaced'] as const)
      this.outcomes[key] += metrics.leases.reacquired[key];
  }
}

describe('whatever happens', () => {
  const invariant = 'no owner has more leases than its limit, who is open has some, and nothing is left over';
  it.each([
    ['one after the other', 1],
    ['at once', 5],
  ])(`${invariant}: %s`, async (_how, atOnce) => {
    const outcomes = { kept: 0, lost: 0, replaced: 0 };
    const steps = fc.array(fc.array(step, { minLength: 1, maxLength: atOnce }), {
      minLength: 10,
      maxLength: 40 / atOnce + 10,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const world = new World();
        await world.start();
        for (const together of history) {
          const all = Promise.allSettled(together.map((one) => world.do(one)));
          const failed = (await all).filter(({ status }) => status === 'rejected');
          // A call fails if its connection is closed meanwhile, or if leases lapse twice, and only then.
          if (!together.some((one) => BREAKING.has(one.do))) expect(failed).toEqual([]);
          await world.neverOverLimit();
        }
        await world.settle();
        await world.endAll();
        for (const key of ['kept', 'lost', 'replaced'] as const) outcomes[key] += world.outcomes[key];
      }),
      { numRuns: 40 },
    );
    // Histories in which nothing happens would prove nothing.
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
  });
});
