import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { processorMs, uncrowdedMs } from './processes.ts';

const OF_ADDRESS = 30;
const IN_ALL = 120;
/** Leet spelling, keyboard walks, dates and repeats, all of which the estimator tries at every character. */
const WORST = [
  'p4$$w0rd',
  '4@8({[<361!|10$57+2%|',
  '19911991',
  'qwertyuiop',
  '1111',
  'p4$$w0rdqwerty1991',
  'abcabd',
  '1q2w3e4r',
];

describe('choosing passwords', () => {
  let host: GatewayHost;
  beforeAll(async () => {
    host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { ENABLE_SIGNUP: 'true', TRUST_PROXY: '1', API_THROTTLE_PER_MINUTE: '0' },
    });
  });
  afterAll(() => host.stop());
  const signUp = (password: string, address: string, index = 0) =>
    new ApiClient(host.url, undefined).call(
      'POST',
      '/auth/signup',
      { email: `${'p4ssw0rd.'.repeat(6)}${index}@example.com`, password, full_name: 'p4$$w0rd '.repeat(11) },
      { 'X-Forwarded-For': address },
    );

  it('is checked 30 times a minute from one address, and 120 times from all, however many there are', async () => {
    await signUp('warm it up', '192.0.2.0');
    const before = processorMs(host.pid);
    const begun = performance.now();
    const statuses: number[] = [];
    const slow: number[] = [];
    for (let index = 0; index < 2 * IN_ALL; index += 1) {
      const password = (WORST[index % WORST.length] ?? '').repeat(200).slice(0, 200);
      const answer = await signUp(password, `192.0.2.${1 + (index % 8)}`, index);
      statuses.push(answer.status);
      if (answer.status === 429) {
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(await answer.text()).toContain('Too many passwords');
      }
      if (index % 40 === 0) {
        slow.push(await uncrowdedMs(host.pid, () => fetch(`${host.url}/health/live`)));
      }
    }
    // One was used to warm up.
    expect(statuses.filter((status) => status !== 429)).toHaveLength(IN_ALL - 1);
    expect(Math.max(...slow)).toBeLessThan(250);
    // 240 passwords of 200 characters took about a minute of processor time.
    expect(processorMs(host.pid) - before).toBeLessThan(20_000);
    expect(performance.now() - begun).toBeLessThan(55_000);
    const later = await signUp('plain otters juggle', '198.51.100.9');
    expect(later.status).toBe(429);
  });

  it('uses no other budget: logins and events continue', async () => {
    expect((await ApiClient.login(host.url, 'member@crossfade.test')).token).toBeDefined();
    const events = await new ApiClient(host.url, sampleToken.storefront).call('POST', '/events', {
      message: 'm',
    });
    expect(events.status).toBe(202);
  });

  it('counts by address', async () => {
    const other = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { ENABLE_SIGNUP: 'true', TRUST_PROXY: '1' },
    });
    try {
      const statuses: number[] = [];
      for (let index = 0; index < OF_ADDRESS + 5; index += 1) {
        const client = new ApiClient(other.url, undefined);
        const body = { email: `a${index}@example.com`, password: 'password', full_name: 'A Person' };
        statuses.push(
          (await client.call('POST', '/auth/signup', body, { 'X-Forwarded-For': '192.0.2.1' })).status,
        );
      }
      expect(statuses.filter((status) => status === 400)).toHaveLength(OF_ADDRESS);
      expect(statuses.filter((status) => status === 429)).toHaveLength(5);
      const elsewhere = await new ApiClient(other.url, undefined).call(
        'POST',
        '/auth/signup',
        { email: 'else@example.com', password: 'plain otters juggle', full_name: 'Else Where' },
        { 'X-Forwarded-For': '192.0.2.2' },
      );
      expect(elsewhere.status).toBe(201);
    } finally {
      await other.stop();
    }
  });
});
