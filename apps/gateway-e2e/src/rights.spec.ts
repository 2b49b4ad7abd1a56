import { SseProbe, eventually, type Probe } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, makeMember, newDatabase, runSql, sampleToken } from '@crossfade/test-hosts';
import { describe, expect, inject, it } from 'vitest';
import { onEachInstallation } from './databases.ts';
import { transports } from './transports.ts';

const MEMBER = 'member@crossfade.test';

onEachInstallation('rights', {}, (gateway) => {
  const login = (email: string) => ApiClient.login(gateway().url, email);
  const organization = async (name: string) => {
    const all = await (
      await login('admin@crossfade.test')
    ).json<{ id: string; name: string }[]>('GET', '/organizations');
    return all.find((one) => one.name === name)?.id ?? '';
  };
  const post = (token: string, message: string) =>
    new ApiClient(gateway().url, token).json('POST', '/events', { type: 'error', message });

  it("logout closes that token's other streams at once, on both transports, and no other session's", async () => {
    const [leaving, staying] = [await login(MEMBER), await login(MEMBER)];
    const closing = await Promise.all(
      transports.map(({ open }) => open(gateway().url, { token: leaving.token })),
    );
    const kept = await Promise.all(
      transports.map(({ open }) => open(gateway().url, { token: staying.token })),
    );
    await Promise.all([...closing, ...kept].map((probe) => probe.message('Connected')));
    const begun = Date.now();
    await leaving.json('POST', '/auth/logout');
    const [, ended] = await Promise.all(closing.map((probe) => probe.end()));
    expect(Date.now() - begun).toBeLessThan(500);
    expect(ended).toMatchObject({ code: 4401 });
    for (const probe of closing) expect(probe.received.map(({ type }) => type)).toContain('Revoked');
    await post(sampleToken.storefront, 'after the logout');
    for (const probe of kept) await probe.message('StackChanged');
    expect((await leaving.call('GET', '/users/me')).status).toBe(401);
    expect((await leaving.call('POST', '/auth/logout')).status).toBe(401);
    for (const probe of kept) probe.close();
  });

  it('logout works by GET too, and is not for project tokens', async () => {
    const client = await login(MEMBER);
    const response = await client.call('GET', '/auth/logout');
    expect(response.status).toBe(204);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(
      (await new ApiClient(gateway().url, sampleToken.storefront).call('POST', '/auth/logout')).status,
    ).toBe(403);
  });

  for (const { name, open } of transports) {
    it(`a removed member is told over ${name}, gets nothing of the organization afterwards, and does again when added, without a reconnect`, async () => {
      const acme = await organization('Acme');
      const admin = await login('admin@crossfade.test');
      const member = await login(MEMBER);
      const probe = await open(gateway().url, { token: member.token });
      await probe.message('Connected');

      await post(sampleToken.storefront, 'while a member');
      await probe.message('StackChanged');

      await admin.json('DELETE', `/organizations/${acme}/users/${MEMBER}`);
      await probe.message('UserMembershipChanged', ({ change_type }) => change_type === 2);
      const heard = probe.received.length;
      await post(sampleToken.storefront, 'while not a member');
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect(probe.received.slice(heard)).toEqual([]);

      await makeMember(admin, acme, { email: MEMBER, as: member });
      await probe.message('UserMembershipChanged', ({ change_type }) => change_type === 0);
      await post(sampleToken.storefront, `a member again over ${name}`);
      await later(probe, heard, 'StackChanged');
      probe.close();
    });
  }

  it('keeps the last member, and publishes nothing when a member accepts an invitation', async () => {
    const admin = await login('admin@crossfade.test');
    const globex = await organization('Globex');
    expect((await admin.call('DELETE', `/organizations/${globex}/users/admin@crossfade.test`)).status).toBe(
      409,
    );
    const acme = await organization('Acme');
    const [sse] = transports;
    const probe = await sse?.open(gateway().url, { token: admin.token });
    await probe?.message('Connected');
    await makeMember(admin, acme, { email: MEMBER, as: await login(MEMBER) });
    await post(sampleToken.storefront, 'after the second time');
    await probe?.message('StackChanged');
    expect(probe?.received.map(({ type }) => type)).not.toContain('UserMembershipChanged');
    probe?.close();
  });

  it("does not show another organization's things", async () => {
    const member = await login(MEMBER);
    const globex = await organization('Globex');
    await post(sampleToken.intranet, 'of Globex only');
    const admin = await login('admin@crossfade.test');
    const [stack] = await admin.json<{ id: string }[]>('GET', `/organizations/${globex}/stacks`);
    for (const path of [
      `/organizations/${globex}`,
      `/organizations/${globex}/stacks`,
      `/organizations/${globex}/users`,
      `/stacks/${stack?.id}`,
      `/stacks/${stack?.id}/events`,
    ]) {
      expect((await member.call('GET', path)).status, path).toBe(404);
    }
    expect((await member.call('POST', `/stacks/${stack?.id}/mark-fixed`)).status).toBe(404);
    expect((await member.call('POST', `/organizations/${globex}/users/${MEMBER}`)).status).toBe(404);
  });

  it('revokes a session from another one, whose stream ends', async () => {
    const [one, other] = [await login(MEMBER), await login(MEMBER)];
    const [sse] = transports;
    const probe = await sse?.open(gateway().url, { token: other.token });
    await probe?.message('Connected');
    const sessions = await one.json<{ id: string; is_current: boolean }[]>('GET', '/users/me/tokens');
    const ids = sessions.filter(({ is_current }) => !is_current).map(({ id }) => id);
    expect((await one.call('DELETE', `/tokens/${[...ids, crypto.randomUUID()].join(',')}`)).status).toBe(404);
    expect((await other.call('GET', '/users/me')).status).toBe(200);
    await one.json('DELETE', `/tokens/${ids.join(',')}`);
    await probe?.end();
    expect((await other.call('GET', '/users/me')).status).toBe(401);
  });

  it("tells an organization of its projects' tokens without their secret, and shows it once", async () => {
    const admin = await login('admin@crossfade.test');
    const [sse] = transports;
    const probe = await sse?.open(gateway().url, { token: admin.token });
    await probe?.message('Connected');
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    const rocket = projects.find((one) => one.name === 'Rocket')?.id;
    const made = await admin.json<{ id: string; token: string }>('POST', `/projects/${rocket}/tokens`, {
      scopes: ['client'],
    });
    expect((await probe?.message('TokenChanged'))?.message).toMatchObject({
      id: made.id,
      change_type: 0,
      data: {},
    });
    await post(made.token, 'with a new token');
    const listed = await admin.json<{ id: string; token?: string }[]>('GET', `/projects/${rocket}/tokens`);
    expect(listed.map(({ id }) => id)).toContain(made.id);
    expect(JSON.stringify(listed)).not.toContain(made.token);
    expect(JSON.stringify(probe?.received)).not.toContain(made.token);
    await admin.json('DELETE', `/tokens/${made.id}`);
    const refused = await new ApiClient(gateway().url, made.token).call('POST', '/events', {});
    expect(refused.status).toBe(401);
    probe?.close();
  });
});

const later = (probe: Probe, from: number, type: string) =>
  eventually(type, () => probe.received.slice(from).find((one) => one.type === type));

describe('a token that expires', () => {
  it('opens no stream from that second on, and its streams end within seconds', async () => {
    const databaseUrl = newDatabase(inject('postgresPort'));
    const host = await GatewayHost.start({ databaseUrl });
    const client = await ApiClient.login(host.url, MEMBER);
    const other = await ApiClient.login(host.url, MEMBER);
    const probes = await Promise.all(transports.map(({ open }) => open(host.url, { token: client.token })));
    const kept = await SseProbe.open(host.url, { token: other.token });
    for (const probe of [...probes, kept]) await probe.message('Connected');
    // Thirty days are too long to wait for.
    const [session] = (
      await client.json<{ id: string; is_current: boolean }[]>('GET', '/users/me/tokens')
    ).filter(({ is_current }) => is_current);
    runSql(databaseUrl, `UPDATE tokens SET expires_utc = now() WHERE id = '${session?.id}'`);
    expect((await client.call('GET', '/users/me')).status).toBe(401);
    for (const probe of probes) {
      await probe.end();
      expect(probe.received.at(-1)?.type).toBe('Revoked');
    }
    expect((await other.call('GET', '/users/me')).status).toBe(200);
    expect(kept.ended).toBe(false);
    kept.close();
    await host.stop();
  });
});
