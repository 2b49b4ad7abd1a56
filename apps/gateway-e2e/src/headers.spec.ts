import { request } from 'node:http';
import { SseProbe } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

const ALLOWED = 'https://app.example.com';
const FOREIGN = 'https://elsewhere.example.com';

describe('headers', () => {
  let host: GatewayHost;
  let token: string;
  beforeAll(async () => {
    host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { CORS_ORIGINS: ALLOWED },
    });
    token = (await ApiClient.login(host.url, 'member@crossfade.test')).token ?? '';
  });
  afterAll(() => host.stop());
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${host.url}${path}`, { headers });

  it('let pages run only their own scripts', async () => {
    for (const path of ['/', '/next/', '/next/stacks/1', '/docs']) {
      const page = await get(path);
      expect(page.status, path).toBe(200);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy, path).toContain("default-src 'none'");
      expect(policy, path).toMatch(/script-src 'self'( 'sha256-[^']+')*;/);
      expect(policy, path).toContain("style-src 'self';");
      expect(policy, path).toContain("frame-ancestors 'none'");
      expect(policy, path).not.toMatch(/unsafe-inline|unsafe-eval|\*|https?:/);
      expect(page.headers.get('x-content-type-options')).toBe('nosniff');
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
      expect(page.headers.get('x-powered-by')).toBeNull();
    }
    for (const path of ['/api/v2/users/me', '/docs/openapi.json', '/api/nothing'])
      expect((await get(path)).headers.get('content-security-policy')).toMatch(/default-src 'none'.*sandbox/);
  });

  it('cache files with a hash in their name for a year, and pages not at all', async () => {
    for (const page of ['/', '/next/']) {
      const answer = await get(page);
      expect(answer.headers.get('cache-control')).toBe('no-cache');
      const [, file = ''] =
        /(?:src|href)="([^"]*(?:assets|immutable)[^"]*\.js)"/.exec(await answer.text()) ?? [];
      const asset = await get(new URL(file, `${host.url}${page}`).pathname);
      expect(asset.status).toBe(200);
      expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
    expect((await get('/next/_app/immutable/gone.js')).status).toBe(404);
  });

  it('say that responses are compressed, and that the stream never is', async () => {
    const encoding = async (path: string, accepted: string, authorization = `Bearer ${token}`) =>
      (await raw(path, { 'accept-encoding': accepted, authorization }))['content-encoding'];
    expect(await encoding('/docs/openapi.json', 'gzip')).toBe('gzip');
    expect(await encoding('/docs/openapi.json', 'br')).toBe('br');
    expect(await encoding('/next/', 'gzip')).toBe('gzip');
    expect(await encoding('/api/v2/push', 'gzip, br')).toBeUndefined();
    expect(await encoding('/api/v2/push/', 'gzip, br')).toBeUndefined();
    const probe = await SseProbe.open(host.url, { token, headers: { 'Accept-Encoding': 'gzip, br' } });
    expect(probe.response.headers.get('cache-control')).toContain('no-transform');
    await probe.message('Connected');
    probe.close();
  });

  it('let pages of other origins call as far as the documentation says', async () => {
    const preflight = (path: string, origin: string, method = 'POST') =>
      fetch(`${host.url}${path}`, {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': method,
          'Access-Control-Request-Headers': 'authorization,content-type',
        },
      });
    for (const path of ['/api/v2/events', '/api/v2/projects/config', '/api/v2/events/session/heartbeat']) {
      const { headers } = await preflight(path, FOREIGN);
      expect(headers.get('access-control-allow-origin'), path).toBe('*');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
    const posted = await fetch(`${host.url}/api/v2/events`, {
      method: 'POST',
      headers: {
        Origin: FOREIGN,
        Authorization: `Bearer ${sampleToken.storefront}`,
        'Content-Type': 'application/json',
      },
      body: '{"message":"from elsewhere"}',
    });
    expect(posted.status).toBe(202);
    const exposed = posted.headers.get('access-control-expose-headers') ?? '';
    for (const name of ['X-Exceptionless-ConfigVersion', 'X-RateLimit-Remaining', 'Retry-After'])
      expect(exposed).toContain(name);
    expect(posted.headers.get('x-exceptionless-configversion')).toBe('1');
    for (const path of ['/api/v2/users/me', '/api/v2/organizations', '/api/v2/push', '/api/v2/auth/login']) {
      expect((await preflight(path, ALLOWED, 'GET')).headers.get('access-control-allow-origin'), path).toBe(
        ALLOWED,
      );
      expect(
        (await preflight(path, FOREIGN, 'GET')).headers.get('access-control-allow-origin'),
        path,
      ).toBeNull();
    }
  });

  /** The raw headers: fetch hides how a response was encoded. */
  function raw(path: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const asked = request(`${host.url}${path}`, { headers }, (answer) => {
        resolve(answer.headers);
        asked.destroy();
      });
      asked.on('error', reject).end();
    });
  }
});
