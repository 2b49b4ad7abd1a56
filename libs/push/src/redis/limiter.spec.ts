import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MakeLimiter } from '../limiter.js';
import { limiterContract, limiterName } from '../limiter.spec-kit.js';
import { eventually } from '../testing/index.js';
import type { RedisConnection } from './connection.js';
import { redisLimiters } from './limiter.js';
import { RedisServer } from './redis-server.spec-kit.js';

/** More than a request may wait for a count. The deadline is 300 ms. */
const PATIENCE_MS = 450;

let redis: RedisServer;
let one: RedisConnection;
let other: RedisConnection;
beforeAll(async () => {
  redis = await RedisServer.start();
  one = await redis.connect();
  other = await redis.connect();
});
afterAll(async () => {
  one.close();
  other.close();
  await redis.stop();
});
const limiters = (connection: RedisConnection, prefix = 'test'): MakeLimiter =>
  redisLimiters(connection, prefix);
async function timed<T>(call: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const since = performance.now();
  return { value: await call(), ms: performance.now() - since };
}

limiterContract('a limiter through Redis', () => limiters(one));

it('counts for all processes together, and for each prefix and each name apart', async () => {
  const name = limiterName();
  const [a, b] = [limiters(one)(name, 10, 60), limiters(other)(name, 10, 60)];
  const counts = await Promise.all(
    Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? a : b).count('k')),
  );
  expect(counts.filter(({ fits }) => fits)).toHaveLength(10);
  expect((await limiters(other, 'another')(name, 10, 60).count('k')).left).toBe(9);
  expect((await limiters(other)(limiterName(), 10, 60).count('k')).left).toBe(9);
});

it('has a key that ends with its period', async () => {
  const name = limiterName();
  await limiters(one)(name, 10, 60).count('user:7');
  const key = `test:limit:${name}:user:7`;
  expect(await one.send(key, ['GET', key])).toBe('1');
  const left = Number(await one.send(key, ['PTTL', key]));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(60_000);
});

it('counts by itself while Redis does not answer, and nobody waits; then with the others again', async () => {
  const name = limiterName();
  const connection = await redis.connect();
  const limiter = limiters(connection)(name, 5, 60);
  await limiter.count('k', 3);
  redis.pause();
  const first = await timed(() => Promise.all(Array.from({ length: 50 }, () => limiter.count('k'))));
  expect(first.ms).toBeLessThan(PATIENCE_MS);
  expect(first.value.filter(({ fits }) => fits)).toHaveLength(5);
  // Redis has answered nobody, so nobody asks it.
  const later = await timed(() =>
    Promise.all([limiter.look('k'), limiter.count('j', 5), limiter.giveBack('k')]),
  );
  expect(later.ms).toBeLessThan(50);
  expect(later.value[0].fits).toBe(false);
  redis.resume();
  await eventually('the connection', () => connection.isReady || undefined, 10_000);
  expect((await limiters(other)(name, 5, 60).look('k')).left).toBeLessThanOrEqual(2);
  connection.close();
});

it('counts by itself while Redis is gone', async () => {
  const server = await RedisServer.start();
  const connection = await server.connect();
  const limiter = limiters(connection)('n', 3, 60);
  expect((await limiter.count('k', 2)).left).toBe(1);
  await server.kill();
  const { value, ms } = await timed(() => limiter.count('k', 3));
  expect(ms).toBeLessThan(PATIENCE_MS);
  expect(value).toMatchObject({ fits: true, left: 0 });
  expect((await limiter.count('k')).fits).toBe(false);
  await server.start('kept');
  await eventually('the connection', () => connection.isReady || undefined, 10_000);
  expect(await limiter.count('k')).toMatchObject({ fits: true, left: 0 });
  connection.close();
  await server.stop();
});

it('counts by itself when Redis is full', async () => {
  const server = await RedisServer.start('--maxmemory', '100kb', '--maxmemory-policy', 'noeviction');
  const connection = await server.connect();
  const limiter = limiters(connection)('n', 2, 60);
  expect(await limiter.count('k', 2)).toMatchObject({ fits: true });
  expect(await limiter.count('k')).toMatchObject({ fits: false });
  expect(connection.isReady).toBe(true);
  connection.close();
  await server.stop();
});
