import { afterAll, beforeAll, expect, it } from 'vitest';
import { DeadlineError } from '../deadline.js';
import { eventually } from '../testing/index.js';
import { NotConnected } from './fault.js';
import { RedisServer } from './redis-server.spec-kit.js';
import { Script } from './script.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

it('sends commands and scripts, also to a server that has not seen the script', async () => {
  const connection = await redis.connect();
  expect(await connection.send('a', ['SET', 'a', '1'])).toBe('OK');
  const script = new Script('return {redis.call("GET", KEYS[1]), ARGV[1]}');
  expect(await connection.run(script, ['a'], ['x'])).toEqual(['1', 'x']);
  await connection.send('a', ['SCRIPT', 'FLUSH']);
  expect(await connection.run(script, ['a'], ['y'])).toEqual(['1', 'y']);
  await expect(connection.send('a', ['LPUSH', 'a', '1'])).rejects.toThrow('WRONGTYPE');
  await connection.close();
});

it('gives up a command that is not answered in time, sends nothing while it waits, and goes on afterwards', async () => {
  const connection = await redis.connect();
  redis.pause();
  await expect(connection.send('a', ['GET', 'a'], 200)).rejects.toBeInstanceOf(DeadlineError);
  await expect(connection.send('a', ['GET', 'a'], 200)).rejects.toBeInstanceOf(NotConnected);
  redis.resume();
  await eventually('the connection', () => connection.isReady || undefined);
  expect(await connection.send('a', ['PING'])).toBe('PONG');
  expect(connection.reconnects).toBe(1);
  await connection.close();
});

it('connects again to a server that was restarted', async () => {
  const errors: string[] = [];
  const connection = await redis.connect((_error, doing) => errors.push(doing));
  await redis.kill();
  await expect(connection.send('a', ['PING'])).rejects.toThrow();
  await eventually('an error', () => errors[0]);
  await redis.start('kept');
  await eventually('the connection', () => connection.isReady || undefined);
  expect(await connection.send('a', ['GET', 'a'])).toBe('1');
  await connection.close();
  await expect(connection.send('a', ['PING'])).rejects.toBeInstanceOf(NotConnected);
});

it('says why it cannot connect', async () => {
  await redis.kill();
  await expect(redis.connect()).rejects.toThrow('ECONNREFUSED');
  await redis.start('kept');
});
