import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  OwnFolder,
  freePort,
  newDatabase,
  runSql,
  sampleToken,
} from '@crossfade/test-hosts';
import { describe, expect, inject, it } from 'vitest';

/** Starts a gateway that cannot start. Returns its exit code and its one sentence. */
async function failure(env: Record<string, string>): Promise<{ code: number; sentence: string }> {
  const host = GatewayHost.spawn({ env: { LOG_LEVEL: 'silent', ...env } });
  const code = await host.exited();
  return { code, sentence: host.output };
}

const oneSentence = /^[A-Z][^\n]+\.\n$/;

describe('a start that fails', () => {
  it('names a busy port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const databaseUrl = newDatabase(inject('postgresPort'));
    const { code, sentence } = await failure({ PORT: String(port), DATABASE_URL: databaseUrl });
    server.close();
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toContain(`Port ${port} is in use`);
  });

  it('names a data folder that cannot be written', async () => {
    const file = join(new OwnFolder('file').path, 'a-file');
    writeFileSync(file, '');
    chmodSync(file, 0o400);
    const { code, sentence } = await failure({ DATA_DIR: join(file, 'data') });
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toMatch(/data folder .* cannot be written/);
  });

  it('does not open a data folder that another process uses', async () => {
    const first = await GatewayHost.start();
    const { code, sentence } = await failure({ DATA_DIR: join(first.folder, 'data') });
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toContain('in use by another gateway');
    expect((await fetch(`${first.url}/health/ready`)).status).toBe(200);
    await first.stop();
  });

  it('names a database that does not answer, and not its password', async () => {
    const { code, sentence } = await failure({
      DATABASE_URL: `postgres://someone:secret@127.0.0.1:${await freePort()}/none`,
    });
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toContain('DATABASE_URL');
    expect(sentence).not.toContain('secret');
  });

  it('names every bad setting at once, and unknown ones that start with PUSH_', async () => {
    const { code, sentence } = await failure({
      PORT: 'many',
      LOG_LEVEL: 'loud',
      PUSH_SPEED: '11',
      CORS_ORIGINS: 'example.com/path',
    });
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    for (const name of ['PORT', 'LOG_LEVEL', 'PUSH_SPEED', 'CORS_ORIGINS']) expect(sentence).toContain(name);
  });
});

describe('a start that succeeds', () => {
  it('keeps its data, creates sample accounts once, and warns of those that are allowed without SAMPLE_DATA', async () => {
    const folder = new OwnFolder('kept').path;
    const first = await GatewayHost.start({ env: { DATA_DIR: folder } });
    await new ApiClient(first.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'kept',
    });
    await first.stop();
    const second = await GatewayHost.start({
      env: { DATA_DIR: folder, SAMPLE_DATA: 'false', ALLOW_SAMPLE_DATA: 'true' },
    });
    await eventually(
      'warning',
      () => second.output.includes('whose secrets everyone knows: remove them') || undefined,
    );
    const admin = await ApiClient.login(second.url, 'admin@crossfade.test');
    const organizations = await admin.json<{ id: string }[]>('GET', '/organizations');
    expect(organizations).toHaveLength(2);
    await second.stop();
  });

  it('stops at sample accounts that are not wanted, and before adding some beside other accounts', async () => {
    const url = newDatabase(inject('postgresPort'));
    const first = await GatewayHost.start({ databaseUrl: url });
    await first.stop('SIGKILL');
    // As an operator may leave them: some are deleted, and one is enough to stop the start.
    for (const left of [
      'SELECT 1',
      'DELETE FROM tokens',
      `DELETE FROM users WHERE email = 'admin@crossfade.test'`,
    ]) {
      runSql(url, left);
      const { code, sentence } = await failure({ DATABASE_URL: url, SAMPLE_DATA: 'false' });
      expect(code).toBe(1);
      expect(sentence).toMatch(oneSentence);
      expect(sentence).toContain('ALLOW_SAMPLE_DATA');
    }
    // An account whose password was changed is no longer a sample.
    const other = newDatabase(inject('postgresPort'));
    await (await GatewayHost.start({ databaseUrl: other })).stop('SIGKILL');
    const hash = runSql(other, `SELECT password_hash FROM users LIMIT 1`).trim();
    runSql(
      other,
      `DELETE FROM tokens; UPDATE users SET password_hash = '${hash.replace(/.{8}$/, 'AAAAAAAA')}'`,
    );
    const clean = await GatewayHost.start({ databaseUrl: other, env: { SAMPLE_DATA: 'false' } });
    await clean.stop('SIGKILL');

    const own = newDatabase(inject('postgresPort'));
    const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: 'correct horse battery' };
    await (
      await GatewayHost.start({ databaseUrl: own, env: { SAMPLE_DATA: 'false', ...admin } })
    ).stop('SIGKILL');
    const { code, sentence } = await failure({ DATABASE_URL: own, SAMPLE_DATA: 'true' });
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toContain('the database has other accounts');
    expect(runSql(own, 'SELECT count(*) FROM users')).toBe('1\n');
    const allowed = await GatewayHost.start({ databaseUrl: own, env: { ALLOW_SAMPLE_DATA: 'true' } });
    expect(runSql(own, 'SELECT count(*) FROM users')).toBe('3\n');
    await allowed.stop('SIGKILL');
    // On an empty database, both create their accounts, and the next start accepts them.
    const both = newDatabase(inject('postgresPort'));
    for (let round = 0; round < 2; round += 1)
      await (await GatewayHost.start({ databaseUrl: both, env: admin })).stop('SIGKILL');
    expect(runSql(both, 'SELECT count(*) FROM users')).toBe('3\n');
  });

  it('opens its data folder again right after a kill', async () => {
    const folder = new OwnFolder('killed').path;
    const first = await GatewayHost.start({ env: { DATA_DIR: folder } });
    await first.stop('SIGKILL');
    const second = await GatewayHost.start({ env: { DATA_DIR: folder } });
    expect((await fetch(`${second.url}/health/ready`)).status).toBe(200);
    await second.stop();
  });

  it('creates the first administrator on an empty database', async () => {
    const host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { SAMPLE_DATA: 'false', ADMIN_EMAIL: 'Root@Example.com', ADMIN_PASSWORD: 'correct horse battery' },
    });
    const root = await ApiClient.login(host.url, 'root@example.com', 'correct horse battery');
    expect(await root.json('GET', '/users/me')).toMatchObject({
      roles: ['administrator'],
      organization_ids: [],
    });
    await host.stop();
  });

  it('does not start with a first administrator whose password is easy to guess', async () => {
    const { code, sentence } = await failure({
      DATABASE_URL: newDatabase(inject('postgresPort')),
      ADMIN_EMAIL: 'root@example.com',
      ADMIN_PASSWORD: 'password1',
    });
    expect(code).toBe(1);
    expect(sentence).toBe(
      'ADMIN_PASSWORD is too easy to guess; use a few words that do not belong together.\n',
    );
  });

  it('ends in order with streams open: each is told, and the exit is clean', async () => {
    const host = await GatewayHost.start({ databaseUrl: newDatabase(inject('postgresPort')) });
    const { token } = await ApiClient.login(host.url, 'admin@crossfade.test');
    const sse = await SseProbe.open(host.url, { token });
    const webSocket = await WsProbe.open(host.url, { token });
    await Promise.all([sse.message('Connected'), webSocket.message('Connected')]);
    const begun = Date.now();
    expect(await host.stop()).toBe(0);
    expect(Date.now() - begun).toBeLessThan(5000);
    for (const probe of [sse, webSocket]) {
      expect((await probe.message('Reconnect')).message).toEqual({ delay_ms: expect.any(Number) as number });
    }
    expect(await webSocket.end()).toMatchObject({ code: 1012 });
  });
});

describe('logs', () => {
  it('hold no token, password or query', async () => {
    const host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { LOG_LEVEL: 'trace' },
    });
    const { token = '' } = await ApiClient.login(host.url, 'admin@crossfade.test');
    const sse = await SseProbe.open(host.url, { token });
    const webSocket = await WsProbe.open(host.url, { token });
    await Promise.all([sse.message('Connected'), webSocket.message('Connected')]);
    await SseProbe.open(host.url, { query: { access_token: 'wrong-secret-1' } });
    await new WsProbe(host.url, { token: 'wrong-secret-2' }).end();
    await new ApiClient(host.url, undefined).call('POST', '/auth/login', {
      email: 'a@b.c',
      password: 'wrong-secret-3',
    });
    await new ApiClient(host.url, sampleToken.storefront).call('POST', '/events', '{"broken');
    sse.close();
    webSocket.close();
    await host.stop();
    expect(
      host.output
        .split('\n')
        .filter(Boolean)
        .every((row) => row.startsWith('{')),
    ).toBe(true);
    for (const secret of [token, 'wrong-secret', 'tester', sampleToken.storefront, 'access_token']) {
      expect(host.output).not.toContain(secret);
    }
  });
});
