import { SseProbe, WsProbe } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  invite,
  newDatabase,
  runSql,
  sampleToken,
  secretOf,
  type NewInvitation,
} from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { onEachInstallation } from '../databases.ts';
import { transports } from '../transports.ts';
import { mediansOf, newcomer, newOrganization } from './people.ts';

const ADMIN = 'admin@crossfade.test';
const MEMBER = 'member@crossfade.test';
/** How many invitations of each kind are timed; `npm run soak` times more. */
const ROUNDS = Number(process.env['ATTACK_TIMINGS'] ?? 40);
const env = {
  ENABLE_SIGNUP: 'true',
  TRUST_PROXY: '1',
  API_THROTTLE_PER_MINUTE: '0',
  MAX_INVITATIONS_PER_ORGANIZATION: '100000',
  LOG_LEVEL: 'trace',
  PUBLIC_URL: 'https://crossfade.example.com/',
};

interface Received {
  readonly id: string;
  readonly organization_id: string;
}

onEachInstallation('membership', env, (gateway) => {
  let admin: ApiClient;
  let organization: string;
  beforeAll(async () => {
    admin = await ApiClient.login(gateway().url, ADMIN);
    organization = await newOrganization(admin);
  });

  const received = (as: ApiClient) => as.json<Received[]>('GET', '/users/me/invitations');
  const accept = (as: ApiClient, { link }: NewInvitation) =>
    as.call('POST', '/invitations/accept', { secret: secretOf(link) });
  const members = async (id = organization) =>
    (await admin.json<{ email_address: string }[]>('GET', `/organizations/${id}/users?limit=100`)).map(
      ({ email_address }) => email_address,
    );
  const sent = (id = organization) =>
    admin.json<Record<string, unknown>[]>('GET', `/organizations/${id}/invitations?limit=100`);

  /** Addresses of every kind, all of one length, so that responses can be compared byte by byte. */
  async function kinds(): Promise<Record<string, string>> {
    const run = crypto.randomUUID().slice(0, 8);
    const [known, member, locked, declined, invited] = ['known', 'memb.', 'lockd', 'decld', 'invtd'].map(
      (kind) => `${kind}-${run}@example.com`,
    ) as [string, string, string, string, string];
    await newcomer(gateway(), { email: known });
    const joined = await newcomer(gateway(), { email: member });
    expect((await accept(joined.as, await invite(admin, organization, member))).status).toBe(200);
    const { id } = await newcomer(gateway(), { email: locked });
    await admin.json('POST', `/users/${id}/lock`);
    const { as } = await newcomer(gateway(), { email: declined });
    const refused = await invite(admin, organization, declined);
    await as.json('DELETE', `/users/me/invitations/${refused.id}`);
    await invite(admin, organization, invited);
    return { unknown: `nobdy-${run}@example.com`, known, member, locked, declined, invited };
  }

  it('is offered with the same response, byte by byte, whoever has the address', async () => {
    const answers: Record<string, unknown> = {};
    for (const [kind, email] of Object.entries(await kinds())) {
      const response = await admin.call('POST', `/organizations/${organization}/users/${email}`);
      const body = await response.text();
      const made = JSON.parse(body) as NewInvitation & Record<string, string>;
      const dates = new RegExp(`${made['created_utc']}|${made['expires_utc']}`, 'g');
      answers[kind] = {
        status: response.status,
        // The ETag is a digest of the body.
        headers: [...response.headers].filter(([name]) => name !== 'date' && name !== 'etag'),
        body: body
          .replace(dates, 'DATE')
          .replace(made.id, 'ID')
          .replace(email, 'EMAIL')
          .replace(secretOf(made.link), 'SECRET'),
        lasts:
          Date.parse(made['expires_utc'] ?? '') - Date.parse(made['created_utc'] ?? '') > 6.9 * 86_400_000,
      };
    }
    const { unknown } = answers;
    expect(unknown).toMatchObject({ status: 202 });
    expect(JSON.stringify(unknown)).toContain('https://crossfade.example.com/next/invitation#SECRET');
    expect(JSON.stringify(unknown)).toContain('no-store');
    for (const [kind, answer] of Object.entries(answers)) expect(answer, kind).toEqual(unknown);
  });

  it('is offered in the same time, and listed in the same way', { retry: 2 }, async () => {
    const all = Object.entries(await kinds());
    // An address that was never invited is a new one each time.
    const run = crypto.randomUUID().slice(0, 8);
    const medians = await mediansOf(
      {
        ...Object.fromEntries(
          all.map(([kind, email]) => [kind, () => invite(admin, organization, email)] as const),
        ),
        new: (round) => invite(admin, organization, `n${round}-${run}@example.com`),
      },
      ROUNDS,
    );
    console.log('inviting took', medians);
    const times = Object.values(medians);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(Math.max(3, Math.min(...times) * 0.5));
    const listed = (await sent()).filter(({ email_address }) =>
      all.some(([, email]) => email === email_address),
    );
    // The rows of the member and of the declined invitation look like the others.
    expect(listed).toHaveLength(all.length);
    expect(new Set(listed.map((row) => Object.keys(row).join()))).toEqual(
      new Set(['id,email_address,invited_by,created_utc,expires_utc']),
    );
    expect(new Set(listed.map(({ invited_by }) => invited_by))).toEqual(new Set(['Ada Admin']));
  });

  for (const { name, open } of transports) {
    it(`is announced over ${name} when the invitation is accepted, and not before`, async () => {
      const { email, as } = await newcomer(gateway());
      const acme = (await admin.json<{ id: string; name: string }[]>('GET', '/organizations')).find(
        (one) => one.name === 'Acme',
      );
      const probe = await open(gateway().url, { token: as.token });
      const inviter = await open(gateway().url, { token: admin.token });
      await Promise.all([probe.message('Connected'), inviter.message('Connected')]);
      const { id } = await invite(admin, acme?.id ?? '', email);
      const client = new ApiClient(gateway().url, sampleToken.storefront);
      await client.json('POST', '/events', { type: 'error', message: `before ${name}` });
      await inviter.message('StackChanged');
      expect(probe.received.map(({ type }) => type)).toEqual(['Connected']);
      expect(inviter.received.map(({ type }) => type)).not.toContain('UserMembershipChanged');
      expect((await as.call('GET', `/organizations/${acme?.id}`)).status).toBe(404);
      expect(await received(as)).toMatchObject([
        { id, organization_id: acme?.id, organization_name: 'Acme', invited_by: 'Ada Admin' },
      ]);
      expect(await as.json('POST', `/users/me/invitations/${id}/accept`)).toEqual({
        organization_id: acme?.id,
        organization_name: 'Acme',
      });
      await Promise.all([probe, inviter].map((one) => one.message('UserMembershipChanged')));
      await client.json('POST', '/events', { type: 'error', message: `after ${name}` });
      await probe.message('StackChanged');
      probe.close();
      inviter.close();
    });
  }

  it('does not come from an account with an invited address, only from the link', async () => {
    for (const email of ['squatter@example.com', 'Mixed.Case@Example.com']) {
      const { link, id } = await invite(admin, organization, email);
      const { as } = await newcomer(gateway(), { email: email.toUpperCase() });
      expect(await received(as)).toEqual([]);
      expect((await as.call('POST', `/users/me/invitations/${id}/accept`)).status).toBe(404);
      expect((await as.call('DELETE', `/users/me/invitations/${id}`)).status).toBe(404);
      expect(await as.json('GET', '/organizations')).toEqual([]);
      const by = await newcomer(gateway(), { invitation: secretOf(link) });
      expect(await by.as.json('GET', '/organizations')).toMatchObject([{ id: organization }]);
    }
  });

  it('is for one person: a link that many use at once makes one member', async () => {
    const people = await Promise.all([1, 2, 3, 4].map(() => newcomer(gateway())));
    const before = (await members()).length;
    const made = await invite(admin, organization, 'whoever@example.com');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => accept(people[index % people.length]?.as ?? admin, made)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(19);
    expect(await members()).toHaveLength(before + 1);
  });

  it('is no longer offered after a new invitation of the address, a withdrawal or an acceptance, but still is after a refusal', async () => {
    const { email, as } = await newcomer(gateway());
    const old = await invite(admin, organization, email);
    const made = await invite(admin, organization, email.toUpperCase());
    expect((await accept(as, old)).status).toBe(404);
    await as.json('DELETE', `/users/me/invitations/${made.id}`);
    expect(await received(as)).toEqual([]);
    expect((await as.call('POST', `/users/me/invitations/${made.id}/accept`)).status).toBe(404);
    // To those who invited, it looks as before.
    expect((await sent()).map(({ id }) => id)).toContain(made.id);
    const offer = { secret: secretOf(made.link) };
    expect(await as.json('POST', '/invitations/read', offer)).toMatchObject({ organization_name: 'Initech' });
    await admin.json('DELETE', `/organizations/${organization}/invitations/${made.id}`);
    expect((await as.call('POST', '/invitations/read', offer)).status).toBe(404);
    expect((await accept(as, made)).status).toBe(404);
    const last = await invite(admin, organization, email);
    expect((await accept(as, last)).status).toBe(200);
    expect((await accept(as, last)).status).toBe(404);
    expect((await sent()).map(({ id }) => id)).not.toContain(last.id);
  });

  it('does not come back by an invitation that a removed member got or made before', async () => {
    const { email, as } = await newcomer(gateway());
    await accept(as, await invite(admin, organization, email));
    const made = [
      await invite(admin, organization, email),
      await invite(as, organization, 'second-account@example.com'),
    ];
    await admin.json('DELETE', `/organizations/${organization}/users/${email}`);
    expect(await received(as)).toEqual([]);
    for (const one of made) {
      expect((await accept(as, one)).status).toBe(404);
      expect((await as.call('POST', `/users/me/invitations/${one.id}/accept`)).status).toBe(404);
    }
    expect((await as.call('GET', `/organizations/${organization}`)).status).toBe(404);
  });

  it('cannot be accepted, listed, withdrawn or offered by anybody else', async () => {
    const member = await ApiClient.login(gateway().url, MEMBER);
    const { email, as } = await newcomer(gateway());
    const made = await invite(admin, organization, email);
    expect((await member.call('POST', `/users/me/invitations/${made.id}/accept`)).status).toBe(404);
    expect((await member.call('GET', `/organizations/${organization}/invitations`)).status).toBe(404);
    const path = (id: string) => `/organizations/${id}/invitations/${made.id}`;
    expect((await member.call('DELETE', path(organization))).status).toBe(404);
    // By a member of another organization, in its name.
    expect((await member.call('DELETE', path(await newOrganization(member)))).status).toBe(404);
    expect((await member.call('POST', `/organizations/${organization}/users/${email}`)).status).toBe(404);
    expect(await received(as)).toHaveLength(1);
    await accept(as, made);
    // A member is invited like anybody else, and does not see the invitation.
    await invite(admin, organization, email);
    expect(await received(as)).toEqual([]);
  });

  it('is offered with a link to the URL that the operator set, whatever the request calls this host', async () => {
    const { link } = await admin.json<NewInvitation>(
      'POST',
      `/organizations/${organization}/users/host@example.com`,
      undefined,
      { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'http', Forwarded: 'host=evil.example' },
    );
    expect(link).toMatch(/^https:\/\/crossfade\.example\.com\/next\/invitation#[\w-]{43}$/);
    expect(gateway().output).not.toContain(secretOf(link));
  });
});

describe('many memberships', () => {
  let host: GatewayHost;
  let databaseUrl: string;
  beforeAll(async () => {
    databaseUrl = newDatabase(inject('postgresPort'));
    host = await GatewayHost.start({ databaseUrl });
    runSql(
      databaseUrl,
      `WITH made AS (INSERT INTO organizations (name) SELECT 'Org ' || n FROM generate_series(1, 66000) n RETURNING id)
       INSERT INTO memberships (organization_id, user_id) SELECT made.id, users.id FROM made, users WHERE email = '${MEMBER}'`,
    );
  });
  afterAll(() => host.stop());

  it('of one person: every list answers, and a stream opens', async () => {
    const member = await ApiClient.login(host.url, MEMBER);
    const { organization_ids } = await member.json<{ organization_ids: string[] }>('GET', '/users/me');
    expect(organization_ids).toHaveLength(66_001);
    const [first] = organization_ids;
    for (const path of [
      '/organizations',
      '/projects',
      '/users/me/tokens',
      '/users/me/invitations',
      `/organizations/${first}`,
      `/organizations/${first}/users`,
      `/organizations/${first}/projects`,
      `/organizations/${first}/stacks`,
      `/organizations/${first}/invitations`,
      '/organizations?page=3300',
    ])
      expect((await member.call('GET', path)).status, path).toBe(200);
    for (const Probe of [SseProbe, WsProbe]) {
      const probe = await Probe.open(host.url, { token: member.token });
      await probe.message('Connected');
      probe.close();
    }
  });

  it('of one organization: a member is removed as fast as from a small one', async () => {
    const acme = runSql(databaseUrl, `SELECT id FROM organizations WHERE name = 'Acme'`).trim();
    runSql(
      databaseUrl,
      `WITH made AS (INSERT INTO users (email, full_name, password_hash)
         SELECT 'many-' || n || '@example.com', 'Many', '-' FROM generate_series(1, 66000) n RETURNING id)
       INSERT INTO memberships (organization_id, user_id) SELECT '${acme}', id FROM made; ANALYZE`,
    );
    const admin = await ApiClient.login(host.url, ADMIN);
    const small = await newOrganization(admin);
    runSql(
      databaseUrl,
      `INSERT INTO memberships (organization_id, user_id) SELECT '${small}', id FROM users WHERE email LIKE 'many-1_@example.com'`,
    );
    const { large = 0, few = 0 } = await mediansOf(
      {
        large: (round) => admin.json('DELETE', `/organizations/${acme}/users/many-2${round}@example.com`),
        few: (round) => admin.json('DELETE', `/organizations/${small}/users/many-1${round}@example.com`),
      },
      9,
    );
    console.log('removing a member took', { large, few });
    expect(large).toBeLessThan(3 * few + 10);
  });

  it('that expire before they are accepted are no longer offered', async () => {
    const admin = await ApiClient.login(host.url, ADMIN);
    const member = await ApiClient.login(host.url, MEMBER);
    const globex = runSql(databaseUrl, `SELECT id FROM organizations WHERE name = 'Globex'`).trim();
    const { id, link } = await invite(admin, globex, MEMBER);
    runSql(databaseUrl, `UPDATE invitations SET expires_utc = now() WHERE id = '${id}'`);
    const secret = secretOf(link);
    expect(await member.json('GET', '/users/me/invitations')).toEqual([]);
    expect(await admin.json('GET', `/organizations/${globex}/invitations`)).toEqual([]);
    expect((await member.call('POST', `/users/me/invitations/${id}/accept`)).status).toBe(404);
    expect((await member.call('POST', '/invitations/accept', { secret })).status).toBe(404);
    // Its secret was only in the response.
    const rows = runSql(databaseUrl, 'SELECT invitations::text FROM invitations');
    expect(rows).not.toContain(secret);
  });
});
