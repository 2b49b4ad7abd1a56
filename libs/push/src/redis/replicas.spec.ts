import { catalog } from '@crossfade/protocol/catalog';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { make } from '../admission.spec-kit.js';
import { eventually } from '../testing/index.js';
import type { RedisConnection } from './connection.js';
import { RedisServer } from './redis-server.spec-kit.js';
import { RedisReplicas } from './replicas.js';

let redis: RedisServer;
let connections: RedisConnection[] = [];
beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  connections = [];
  await redis.stop();
});

/** A replica of that name, which answers the others. */
async function replica(name: string) {
  const [commands, questions] = [await redis.connect(), await redis.connect()];
  connections.push(commands, questions);
  const replicas = new RedisReplicas({ commands, questions, prefix: 'p', name });
  const made = await make({ catalog, replicas, limit: 100 });
  made.push.fleet.start();
  return {
    ...made,
    replicas,
    commands,
    /** As if its process had been killed. */
    kill: async () => {
      await Promise.all([commands, questions].map((connection) => connection.close()));
    },
  };
}
type Replica = Awaited<ReturnType<typeof replica>>;

/** Waits until the first one knows of so many others. */
const knows = ({ push }: Replica, others: number, names: readonly string[] = []) =>
  eventually('the others', async () => {
    const { connections: list, silent } = await push.fleet.list({}, 100);
    const seen = new Set(list.map((one) => one.replica).filter((name) => name !== 'a'));
    return (seen.size === others && silent.join() === names.join()) || undefined;
  });

describe('the open streams of all replicas', () => {
  it('are listed, the newest first, and found by owner, client, transport and replica', async () => {
    const [a, b, c] = [await replica('a'), await replica('b'), await replica('c')];
    a.clock.stepWall(1000);
    await a.connect({ credential: 't1', client: 'modern/1' });
    b.clock.stepWall(3000);
    await b.connect({ credential: 'foreign', client: 'legacy/1' });
    c.clock.stepWall(2000);
    await c.connect({ credential: 't3', client: 'modern/2' });
    await knows(a, 2);
    const namesOf = async (filter: Parameters<typeof a.push.fleet.list>[0], most = 100) =>
      (await a.push.fleet.list(filter, most)).connections.map(({ replica: name }) => name).join('');
    expect(await namesOf({})).toBe('bca');
    expect(await namesOf({}, 2)).toBe('bc');
    expect((await a.push.fleet.list({}, 2)).total).toBe(3);
    expect(await namesOf({ owner: 'x' })).toBe('b');
    expect(await namesOf({ owner: 't1' })).toBe('');
    expect(await namesOf({ client: 'modern' })).toBe('ca');
    expect(await namesOf({ client: 'modern/2' })).toBe('c');
    expect(await namesOf({ client: 'mod' })).toBe('');
    expect(await namesOf({ transport: 'websocket' })).toBe('');
    expect(await namesOf({ replica: 'c' })).toBe('c');
    const [one] = (await a.push.fleet.list({ replica: 'b' }, 1)).connections;
    expect(one).toMatchObject({ transport: 'sse', client: 'legacy/1', userId: 'x', tokenId: 'foreign' });
    expect(one).toMatchObject({ state: 'live', waiting: 0, pendingBytes: 0, lag: 0, ageSeconds: 0 });
  });

  it('end from any of them', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    const { transport } = await b.connect();
    await knows(a, 1);
    const [one] = (await a.push.fleet.list({}, 1)).connections;
    expect(await a.push.fleet.end(one?.id ?? '')).toEqual({ ended: true, silent: [] });
    await eventually('the end', () => transport?.types.includes('Reconnect') || undefined);
    expect(await a.push.fleet.end('nobody')).toEqual({ ended: false, silent: [] });
  });

  it('are those of whom it could reach, within a second; it names the others', async () => {
    const [a, b, c] = [await replica('a'), await replica('b'), await replica('c')];
    await b.connect();
    await c.connect();
    await knows(a, 2);
    await c.kill();
    const begun = performance.now();
    const { connections: list, silent } = await a.push.fleet.list({}, 100);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect([list.map(({ replica: name }) => name), silent]).toEqual([['b'], ['c']]);
    // One that is closed is not expected to answer.
    await b.replicas.close();
    expect((await a.push.fleet.list({}, 100)).silent).toEqual(['c']);
  });

  it('are its own while Redis is away, and of all when it is back', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    await a.connect();
    await b.connect();
    await knows(a, 1);
    redis.pause();
    const begun = performance.now();
    const { connections: list, silent } = await a.push.fleet.list({}, 100);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect([list.map(({ replica: name }) => name), silent]).toEqual([['a'], ['b']]);
    redis.resume();
    await knows(a, 1);
    await a.commands.send('', ['FLUSHALL']);
    await knows(a, 1);
  });
});
