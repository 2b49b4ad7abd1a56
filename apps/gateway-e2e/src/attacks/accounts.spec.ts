import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, invite, newDatabase, runSql, secretOf } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { transports } from '../transports.ts';
import { mediansOf, newcomer, newOrganization, PASSWORD } from './people.ts';

const ADMIN = 'admin@crossfade.test';
const NEW_PASSWORD = 'quiet badgers whistle';
const ROUNDS = Number(process.env['ATTACK_TIMINGS'] ?? 15);
const env = { ENABLE_SIGNUP: 'true', TRUST_PROXY: '1', API_THROTTLE_PER_MINUTE: '0', LOG_LEVEL: 'trace' };

interface Reset {
  readonly link: string;
  readonly expires_utc: string;
}

onEachDatabase('an account', env, (gateway) => {
  let admin: ApiClient;
  beforeAll(async () => {
    admin = await ApiClient.login(gateway().url, ADMIN);
  });

  const anyone = () => new ApiClient(gateway().url, undefined);
  const logIn = (email: string, password: string) => ApiClient.login(gateway().url, email, password);
  const isRefused = async (email: string, password: string) =>
    (await anyone().call('POST', '/auth/login', { email, password })).status === 401;
  const isAlive = async (as: ApiClient) => (await as.call('GET', '/users/me')).status === 200;
  const linkFor = (id: string) => admin.json<Reset>('POST', `/users/${id}/password-reset`);
  const reset = (link: string, password = NEW_PASSWORD) =>
    anyone().call('POST', '/auth/reset-password', { secret: secretOf(link), password });
  const change = (as: ApiClient, from: string, to: string) =>
    as.call('POST', '/users/me/password', { current_password: from, new_password: to });

  /** Opens a stream on each transport with the session, to see whether it ends. */
  async function listening(token: string | undefined) {
    const probes = await Promise.all(transports.map(({ open }) => open(gateway().url, { token })));
    await Promise.all(probes.map((probe) => probe.message('Connected')));
    return probes;
  }

  it('keeps only the session that changes its password, with its streams', async () => {
    const { email, as } = await newcomer(gateway());
    const other = await logIn(email, PASSWORD);
    const [kept, ended] = await Promise.all([listening(as.token), listening(other.token)]);
    expect((await change(as, PASSWORD, NEW_PASSWORD)).status).toBe(204);
    for (const probe of ended) {
      await probe.end();
      expect(probe.received.at(-1)?.type).toBe('Revoked');
    }
    for (const probe of kept) {
      await probe.message('TokenChanged');
      expect(probe.received.map(({ type }) => type)).not.toContain('Revoked');
      probe.close();
    }
    expect([await isAlive(as), await isAlive(other)]).toEqual([true, false]);
    expect(await isRefused(email, PASSWORD)).toBe(true);
    expect(await isAlive(await logIn(email, NEW_PASSWORD))).toBe(true);
  });

  it('counts a wrong current password as a failed login, and takes no weak new one', async () => {
    const { email, as } = await newcomer(gateway());
    const weak = await change(as, PASSWORD, 'password1');
    expect(weak.status).toBe(400);
    expect(await weak.json()).toMatchObject({ errors: [{ path: 'new_password' }] });
    for (let failed = 0; failed < 10; failed += 1) {
      const wrong = await change(as, `wrong ${failed}`, NEW_PASSWORD);
      expect(await wrong.json()).toMatchObject({ status: 400, errors: [{ path: 'current_password' }] });
    }
    expect((await change(as, PASSWORD, NEW_PASSWORD)).status).toBe(429);
    // The session lives, and a login is refused like any other.
    expect(await isAlive(as)).toBe(true);
    expect((await anyone().call('POST', '/auth/login', { email, password: PASSWORD })).status).toBe(429);
  });

  it('has no session of a login that was in progress while its password changed', async () => {
    const { email, as } = await newcomer(gateway());
    const logins = Array.from({ length: 8 }, () =>
      anyone()
        .call('POST', '/auth/login', { email, password: PASSWORD })
        .then((response) => response.json() as Promise<{ token?: string }>),
    );
    const changed = change(as, PASSWORD, NEW_PASSWORD);
    const tokens = (await Promise.all(logins)).flatMap(({ token }) => (token === undefined ? [] : [token]));
    expect((await changed).status).toBe(204);
    for (const token of tokens) expect(await isAlive(new ApiClient(gateway().url, token))).toBe(false);
    expect(await isAlive(as)).toBe(true);
  });

  it('resets its password once with a link of an administrator, and loses all sessions and streams', async () => {
    const { email, as, id } = await newcomer(gateway());
    const streams = await listening(as.token);
    const old = await linkFor(id);
    const response = await admin.call('POST', `/users/${id}/password-reset`, undefined, {
      'X-Forwarded-Host': 'evil.example',
    });
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { link, expires_utc } = (await response.json()) as Reset;
    // Without PUBLIC_URL, nobody knows the gateway's URL, and a request must not define it.
    expect(link).toMatch(/^\/next\/reset-password#[\w-]{43}$/);
    expect(Math.abs(Date.parse(expires_utc) - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect((await reset(old.link)).status).toBe(404);
    expect((await reset(link, 'password1')).status).toBe(400);
    const answers = await Promise.all(Array.from({ length: 5 }, () => reset(link)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404, 404, 404]);
    expect((await reset(link)).status).toBe(404);
    for (const probe of streams) await probe.end();
    expect(await isAlive(as)).toBe(false);
    expect(await isRefused(email, PASSWORD)).toBe(true);
    expect(await isAlive(await logIn(email, NEW_PASSWORD))).toBe(true);
    for (const secret of [link, old.link].map(secretOf)) expect(gateway().output).not.toContain(secret);
  });

  it('accepts no older link after it changed its password', async () => {
    const { as, id } = await newcomer(gateway());
    const { link } = await linkFor(id);
    await change(as, PASSWORD, NEW_PASSWORD);
    expect((await reset(link, 'another set of words')).status).toBe(404);
  });

  it('loses sessions and streams at once when it is locked, and then looks like one with another password', async () => {
    const { email, as, id } = await newcomer(gateway());
    const open = await newcomer(gateway());
    const streams = await listening(as.token);
    const { link } = await linkFor(id);
    await admin.json('POST', `/users/${id}/lock`);
    for (const probe of streams) {
      await probe.end();
      expect(probe.received.at(-1)?.type).toBe('Revoked');
    }
    expect(await isAlive(as)).toBe(false);
    const answers = await Promise.all(
      [
        { email, password: PASSWORD },
        { email, password: 'wrong' },
        { email: open.email, password: 'wrong' },
      ].map(async (credentials) => {
        const response = await anyone().call('POST', '/auth/login', credentials);
        return [response.status, await response.text()];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toEqual(answers[2]);
    // A link from before the lock does not help, nor does a password that a later link sets.
    expect((await reset(link)).status).toBe(404);
    expect((await reset((await linkFor(id)).link)).status).toBe(204);
    expect(await isRefused(email, NEW_PASSWORD)).toBe(true);
    expect(await admin.json('GET', `/users?q=${email}`)).toMatchObject([
      { id, locked_utc: expect.any(String) as string },
    ]);
    await admin.json('DELETE', `/users/${id}/lock`);
    expect(await isAlive(await logIn(email, NEW_PASSWORD))).toBe(true);
    expect(await isAlive(as)).toBe(false);
  });

  it('is refused while locked in the same time as with a wrong password', { retry: 2 }, async () => {
    const { email, id } = await newcomer(gateway());
    await admin.json('POST', `/users/${id}/lock`);
    // Each from a new address; otherwise its failures would be refused before anything is read.
    const attempt = (password: string, network: number) => (round: number) =>
      anyone().call(
        'POST',
        '/auth/login',
        { email, password },
        { 'X-Forwarded-For': `198.51.${network}.${round}` },
      );
    const medians = await mediansOf({ right: attempt(PASSWORD, 100), wrong: attempt('wrong', 101) }, ROUNDS);
    console.log('refusing took', medians);
    const [right = 0, wrong = 0] = [medians['right'], medians['wrong']];
    expect(Math.abs(right - wrong)).toBeLessThan(Math.max(4, wrong * 0.4));
  });

  it('cannot be locked by its owner, and gets no session when it is locked during a login', async () => {
    const { id: own } = await admin.json<{ id: string }>('GET', '/users/me');
    expect((await admin.call('POST', `/users/${own}/lock`)).status).toBe(409);
    const { email, id } = await newcomer(gateway());
    const logins = Array.from({ length: 8 }, () =>
      anyone()
        .call('POST', '/auth/login', { email, password: PASSWORD })
        .then((response) => response.json() as Promise<{ token?: string }>),
    );
    await admin.json('POST', `/users/${id}/lock`);
    for (const { token } of await Promise.all(logins))
      if (token !== undefined) expect(await isAlive(new ApiClient(gateway().url, token))).toBe(false);
  });

  it('is found by a part of its address, page by page', async () => {
    for (const name of ['q-one', 'q-two', 'q-three'])
      await newcomer(gateway(), { email: `${name}@example.net` });
    const page = await admin.call('GET', '/users?q=@EXAMPLE.net&limit=2');
    expect(page.headers.get('link')).toContain('rel="next"');
    expect((await page.json()) as unknown[]).toMatchObject([
      { email_address: 'q-one@example.net', locked_utc: null },
      { email_address: 'q-three@example.net' },
    ]);
    // Neither a LIKE pattern nor an injection.
    for (const q of ['%', '_', "'", '\\', '\u0000'])
      expect((await admin.call('GET', `/users?q=q-${encodeURIComponent(q)}`)).status).toBe(200);
    expect(await admin.json('GET', '/users?q=q%25two')).toEqual([]);
  });

  it('of an administrator lists and revokes the tokens of services', async () => {
    const made = await admin.json<{ id: string; token: string }>('POST', '/tokens', {
      scopes: ['push:publish'],
      notes: 'the billing service',
    });
    const service = new ApiClient(gateway().url, made.token);
    const message = {
      type: 'StackChanged',
      message: { type: 'Stack', organization_id: await newOrganization(admin), change_type: 1, data: {} },
    };
    await service.json('POST', '/push/messages', message);
    const listed = await admin.json<{ id: string }[]>('GET', '/tokens');
    expect(listed[0]).toMatchObject({
      id: made.id,
      notes: 'the billing service',
      last_used_utc: expect.any(String) as string,
    });
    expect(JSON.stringify(listed)).not.toContain(made.token);
    await admin.json('DELETE', `/tokens/${made.id}`);
    expect((await service.call('POST', '/push/messages', message)).status).toBe(401);
    expect((await admin.json<{ id: string }[]>('GET', '/tokens')).map(({ id }) => id)).not.toContain(made.id);
  });
});

describe('administrators', () => {
  let host: GatewayHost;
  let databaseUrl: string;
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-mail-'));
  const mails = join(folder, 'mails');
  const mailer = join(folder, 'mailer.mjs');
  beforeAll(async () => {
    writeFileSync(mails, '');
    writeFileSync(
      mailer,
      `import { appendFileSync } from 'node:fs';
       export default {
         async send(mail, signal) {
           if (mail.to.startsWith('broken')) throw new Error('no such mailbox: ' + mail.to + ' ' + mail.link);
           if (mail.to.startsWith('hangs')) await new Promise(() => {});
           appendFileSync(${JSON.stringify(mails)}, JSON.stringify(mail) + '\\n');
         },
       };`,
    );
    databaseUrl = newDatabase(inject('postgresPort'));
    host = await GatewayHost.start({
      databaseUrl,
      env: { ...env, PUBLIC_URL: 'https://crossfade.example.com', MAILER: mailer },
    });
  });
  afterAll(async () => {
    await host.stop();
    rmSync(folder, { recursive: true });
  });

  it('who lock each other at the same time are never both locked out', async () => {
    const admin = await ApiClient.login(host.url, ADMIN);
    const { id: adminId } = await admin.json<{ id: string }>('GET', '/users/me');
    const { id, email } = await newcomer(host);
    runSql(databaseUrl, `UPDATE users SET roles = '{administrator}' WHERE id = '${id}'`);
    const sessions: [ApiClient, ApiClient] = [
      admin,
      await ApiClient.login(host.url, email, 'plain otters juggle'),
    ];
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all([
        sessions[0].call('POST', `/users/${id}/lock`),
        sessions[1].call('POST', `/users/${adminId}/lock`),
      ]);
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 204)).toHaveLength(1);
      const winner = statuses.indexOf(204);
      expect([401, 403]).toContain(statuses[1 - winner]);
      const still = winner === 0 ? sessions[0] : sessions[1];
      await still.json('DELETE', `/users/${winner === 0 ? id : adminId}/lock`);
      sessions[1 - winner] =
        winner === 0
          ? await ApiClient.login(host.url, email, 'plain otters juggle')
          : await ApiClient.login(host.url, ADMIN);
    }
  });

  it('lose their unused links when they are locked', async () => {
    const admin = await ApiClient.login(host.url, ADMIN);
    const [rogue, victim, friend] = [await newcomer(host), await newcomer(host), await newcomer(host)];
    runSql(databaseUrl, `UPDATE users SET roles = '{administrator}' WHERE id = '${rogue.id}'`);
    const { link } = await rogue.as.json<Reset>('POST', `/users/${victim.id}/password-reset`);
    const organization = await newOrganization(rogue.as);
    const invitation = await invite(rogue.as, organization, 'whoever@example.com');
    await admin.json('POST', `/users/${rogue.id}/lock`);
    const taken = await new ApiClient(host.url, undefined).call('POST', '/auth/reset-password', {
      secret: secretOf(link),
      password: NEW_PASSWORD,
    });
    expect(taken.status).toBe(404);
    const secret = secretOf(invitation.link);
    expect((await friend.as.call('POST', '/invitations/accept', { secret })).status).toBe(404);
  });

  it("create links that are stored as hashes and expire after an hour, and the operator's mailer sends them", async () => {
    const admin = await ApiClient.login(host.url, ADMIN);
    const { id, email } = await newcomer(host);
    const { link } = await admin.json<Reset>('POST', `/users/${id}/password-reset`, undefined, {
      Host: 'evil.example',
    });
    expect(link).toMatch(/^https:\/\/crossfade\.example\.com\/next\/reset-password#/);
    expect(runSql(databaseUrl, 'SELECT password_resets::text FROM password_resets')).not.toContain(
      secretOf(link),
    );
    const organization = await newOrganization(admin);
    const invitation = await admin.json<{ link: string }>(
      'POST',
      `/organizations/${organization}/users/nobody@example.org`,
    );
    const sent = await eventually('two mails', () => {
      const lines = readFileSync(mails, 'utf8').split('\n');
      const found = lines.filter((line) => line.includes(link) || line.includes(invitation.link));
      return found.length === 2 ? found.map((line) => JSON.parse(line) as unknown) : undefined;
    });
    expect(sent).toMatchObject([
      { about: 'password-reset', to: email, link },
      { about: 'invitation', to: 'nobody@example.org', link: invitation.link },
    ]);
    runSql(databaseUrl, `UPDATE password_resets SET expires_utc = now()`);
    const late = await new ApiClient(host.url, undefined).call('POST', '/auth/reset-password', {
      secret: secretOf(link),
      password: NEW_PASSWORD,
    });
    expect(late.status).toBe(404);
  });

  it('get responses while the mailer fails or hangs, and the log does not quote the mail', async () => {
    const admin = await ApiClient.login(host.url, ADMIN);
    const organization = await newOrganization(admin);
    const begun = performance.now();
    for (const email of ['broken@example.org', 'hangs@example.org'])
      await admin.json('POST', `/organizations/${organization}/users/${email}`);
    expect(performance.now() - begun).toBeLessThan(3000);
    await eventually(
      'warning',
      () => /A mail about invitation could not be sent/.test(host.output) || undefined,
    );
    const lines = host.output.split('\n').filter((line) => line.includes('mail about'));
    expect(lines.join()).not.toContain('example.org');
    expect(lines.join()).not.toContain('/next/');
  });

  it('learn at start what is wrong with a mailer', async () => {
    writeFileSync(join(folder, 'empty.mjs'), 'export default {};');
    for (const [settings, sentence] of [
      [{ MAILER: mailer }, 'MAILER needs PUBLIC_URL'],
      [{ MAILER: join(folder, 'none.mjs'), PUBLIC_URL: 'https://a.example' }, 'cannot be loaded'],
      [{ MAILER: join(folder, 'empty.mjs'), PUBLIC_URL: 'https://a.example' }, 'a method "send"'],
      [{ PUBLIC_URL: 'crossfade.example.com' }, 'PUBLIC_URL must be a URL'],
      [{ PUBLIC_URL: 'https://a.example/?x=1' }, 'PUBLIC_URL must be a URL'],
    ] as const) {
      const failed = GatewayHost.spawn({ env: settings });
      expect(await failed.exited()).toBe(1);
      expect(failed.output).toContain(sentence);
    }
  });
});
