import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.js';

describe('the settings', () => {
  it('have the documented defaults', () => {
    expect(readSettings({})).toMatchObject({
      PORT: 7110,
      HOST: '127.0.0.1',
      DATABASE_POOL_SIZE: 10,
      DATABASE_STATEMENT_TIMEOUT_SECONDS: 15,
      DATABASE_LOCK_TIMEOUT_SECONDS: 5,
      DATA_DIR_RESERVE_MB: 256,
      ALLOW_SAMPLE_DATA: false,
      WATCHDOG_SECONDS: 30,
      enablePush: true,
      SAMPLE_DATA: false,
      CORS_ORIGINS: [],
      LOG_LEVEL: 'info',
      PUSH_WRITE_QUEUE_CAPACITY: 64,
      PUSH_KEEP_ALIVE_SECONDS: 15,
      PUSH_MAX_CONNECTIONS_PER_USER: 10,
      PUSH_MAX_CONNECTIONS_PER_ORGANIZATION: 100,
      PUSH_LOG_CAPACITY: 10_000,
      REDIS_PREFIX: 'crossfade',
      PUSH_HEARTBEAT_SECONDS: 5,
      SHUTDOWN_TIMEOUT_SECONDS: 40,
      warnings: [],
    });
  });

  it.each([
    [{ ENABLE_PUSH: 'false' }, false, 0],
    [{ EnablePush: 'false' }, false, 0],
    [{ ENABLE_WEB_SOCKETS: 'false' }, false, 1],
    [{ EnableWebSockets: '0' }, false, 1],
    [{ ENABLE_PUSH: 'true', EnableWebSockets: 'false' }, true, 1],
    [{ ENABLE_PUSH: '', EnablePush: '1' }, true, 0],
  ])('%j: push is %s, with %i warnings', (env, enabled, warnings) => {
    const settings = readSettings(env);
    expect(settings.enablePush).toBe(enabled);
    expect(settings.warnings).toHaveLength(warnings);
  });

  it.each([
    [{ PORT: '-1' }, 'PORT'],
    [{ PORT: '65536' }, 'PORT'],
    [{ ENABLE_PUSH: 'yes' }, 'ENABLE_PUSH must be true or false'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must start with postgres://'],
    [{ CORS_ORIGINS: 'https://a.example,https://b.example/' }, 'CORS_ORIGINS'],
    [{ DATABASE_POOL_SIZE: '1' }, 'DATABASE_POOL_SIZE must be a whole number from 2'],
    [{ DATABASE_LOCK_TIMEOUT_SECONDS: '15' }, 'must be less than DATABASE_STATEMENT_TIMEOUT_SECONDS (15)'],
    [{ CORS_ORIGINS: '*' }, 'CORS_ORIGINS'],
    [{ PUSH_WRITE_QUEUE_CAPACITY: '0' }, 'PUSH_WRITE_QUEUE_CAPACITY'],
    [
      { PUSH_MAX_MESSAGE_BYTES: '8191' },
      'PUSH_MAX_MESSAGE_BYTES must be a whole number from 8192 to 2097152',
    ],
    [{ PUSH_UNCONFIRMED_SECONDS: '59' }, 'PUSH_UNCONFIRMED_SECONDS (59) must be 0 or at least twice'],
    [{ PUSH_NOTHING: '1' }, 'PUSH_NOTHING is not a setting'],
    [{ REDIS_URL: 'redis://localhost' }, 'REDIS_URL needs DATABASE_URL, since no other replica can read'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must start with redis://'],
    [{ REDIS_PREFIX: 'a b' }, 'REDIS_PREFIX must be up to 64 letters'],
    [{ REDIS_PREFIX: 'a'.repeat(65) }, 'REDIS_PREFIX must be up to 64 letters'],
    [{ REPLICA_NAME: 'a/b' }, 'REPLICA_NAME must be up to 64 letters'],
    [{ PUSH_HEARTBEAT_SECONDS: '0' }, 'PUSH_HEARTBEAT_SECONDS must be a whole number from 1 to 60'],
    [{ ADMIN_EMAIL: 'a@example.com' }, 'must be set together'],
    [{ ADMIN_EMAIL: 'nobody', ADMIN_PASSWORD: 'long enough' }, 'ADMIN_EMAIL must be an e-mail address'],
  ])('%j stops the start with a sentence', (env, said) => {
    expect(() => readSettings(env)).toThrow(said);
  });

  it('does not repeat a secret', () => {
    const env = {
      DATABASE_URL: 'mysql://u:secret@h/d',
      ADMIN_PASSWORD: 'short-1',
      REDIS_URL: 'redis://u:hidden@:x/y',
    };
    expect(() => readSettings(env)).toThrow(
      expect.not.objectContaining({
        message: expect.stringMatching(/secret|short-1|hidden/) as string,
      }) as Error,
    );
  });

  it('name the replica after its host', () => {
    expect(readSettings({}).REPLICA_NAME).toMatch(/^[\w.-]{1,64}$/);
    expect(readSettings({ REPLICA_NAME: 'eu-1.a_b' }).REPLICA_NAME).toBe('eu-1.a_b');
  });

  it('read an address of Redis', () => {
    const DATABASE_URL = 'postgres://db/x';
    expect(readSettings({ DATABASE_URL, REDIS_URL: 'rediss+cluster://u:p@a,b:7' }).REDIS_URL).toMatchObject({
      kind: 'cluster',
      password: 'p',
      tls: true,
    });
  });

  it('believes nobody, one proxy, so many, or those named', () => {
    const proxies = (text: string) => readSettings({ TRUST_PROXY: text }).TRUST_PROXY;
    expect(readSettings({}).TRUST_PROXY).toBe(false);
    expect(proxies('false')).toBe(false);
    expect(proxies('true')).toBe(1);
    expect(proxies('2')).toBe(2);
    expect(proxies('10.0.0.0/8, ::1')).toEqual(['10.0.0.0/8', '::1']);
    expect(() => proxies('everyone')).toThrow('TRUST_PROXY must be true (one proxy), a number of proxies');
    expect(proxies('::ffff:10.0.0.0/104')).toEqual(['::ffff:10.0.0.0/104']);
    // Everybody, and what other programs read as 0.0.0.100 and 127.0.0.1.
    for (const text of ['0.0.0.0/0', '::/0', '10.0.0.0/8,::/0', '100', '0x7f.1', '10.0.0.0/8,'])
      expect(() => proxies(text), text).toThrow('but no network of everybody');
  });
});
