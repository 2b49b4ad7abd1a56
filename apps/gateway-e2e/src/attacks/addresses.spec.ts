import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterEach, describe, expect, inject, it } from 'vitest';

const LIMIT = 60;

describe('addresses', () => {
  let host: GatewayHost | undefined;
  afterEach(async () => {
    await host?.stop();
  });
  const start = async (env: Record<string, string> = {}): Promise<GatewayHost> =>
    (host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { API_THROTTLE_PER_MINUTE: String(LIMIT), ...env },
    }));

  const ask = async (token: string, headers: Record<string, string> = {}): Promise<number> => {
    const answer = await fetch(`${host?.url}/api/v2/users/me`, {
      headers: { Authorization: `Bearer ${token}`, ...headers },
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  const bad = (index: number) => `unknown-${index}-00000000000000000000000000`;
  const statusesOf = async (count: number, headers: (index: number) => Record<string, string>) => {
    const statuses: number[] = [];
    for (let index = 0; index < count; index += 1) statuses.push(await ask(bad(index), headers(index)));
    return statuses;
  };

  it('that send bad tokens are refused, while good tokens from there pass, known or new', async () => {
    const { url } = await start();
    const old = await ApiClient.login(url, 'member@crossfade.test');
    expect(await ask(old.token ?? '')).toBe(200);
    const statuses = await statusesOf(3 * LIMIT, () => ({}));
    expect(statuses.filter((status) => status === 401)).toHaveLength(LIMIT);
    expect(statuses.filter((status) => status === 429)).toHaveLength(2 * LIMIT);
    expect(await ask(old.token ?? '')).toBe(200);
    const events = await new ApiClient(url, sampleToken.storefront).call('POST', '/events', { message: 'm' });
    expect(events.status).toBe(202);
    const other = await old.json<{ token: string }>('POST', `/projects/${await projectOf(old)}/tokens`, {});
    expect((await new ApiClient(url, other.token).call('POST', '/events', { message: 'm' })).status).toBe(
      202,
    );
    // Repeats of one bad token, and requests without any, count as bad tokens too.
    expect(await ask(bad(0))).toBe(429);
    expect((await fetch(`${url}/api/v2/users/me`)).status).toBe(429);
  });

  it('that are not trusted count as one, and the log names once the setting that would change that', async () => {
    await start();
    const statuses = await statusesOf(2 * LIMIT, (index) => ({ 'X-Forwarded-For': `192.0.2.${index}` }));
    expect(statuses.filter((status) => status === 429)).toHaveLength(LIMIT);
    const lines = host?.output.split('\n').filter((line) => line.includes('TRUST_PROXY')) ?? [];
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('forwarded address');
    // The log does not repeat what anyone may send.
    expect(host?.output).not.toContain('192.0.2.');
  });

  it('are those that the trusted proxy adds: a client cannot claim one', async () => {
    await start({ TRUST_PROXY: '1' });
    const own = await statusesOf(2 * LIMIT, (index) => ({
      'X-Forwarded-For': `192.0.2.${index}, 198.51.100.1`,
    }));
    expect(own.filter((status) => status === 429)).toHaveLength(LIMIT);
    const others = await statusesOf(LIMIT, (index) => ({ 'X-Forwarded-For': `192.0.2.${index}` }));
    expect(new Set(others)).toEqual(new Set([401]));
    expect(host?.output).not.toContain('TRUST_PROXY');
  });

  it('may have any text', async () => {
    const { url } = await start({ TRUST_PROXY: '10.0.0.0/8,127.0.0.1' });
    for (const value of [
      'nonsense',
      Array.from({ length: 800 }, (_, index) => `10.0.0.${index % 256}`).join(', '),
      '[fe80::1%eth0]:443',
      ','.repeat(5000),
      'constructor, __proto__',
    ]) {
      expect(await ask(sampleToken.storefront, { 'X-Forwarded-For': value }), value.slice(0, 30)).toBe(403);
      const answer = await fetch(`${url}/api/v2/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': value },
        body: JSON.stringify({ email: 'member@crossfade.test', password: 'tester' }),
      });
      expect(answer.status, value.slice(0, 30)).toBe(200);
    }
  });
});

async function projectOf(client: ApiClient): Promise<string> {
  const [project] = await client.json<{ id: string }[]>('GET', '/projects');
  return project?.id ?? '';
}
