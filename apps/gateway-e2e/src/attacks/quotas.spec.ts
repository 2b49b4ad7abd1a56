import { ApiClient, invite, secretOf } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { operationsOf, type Asked, type Operation } from '../operations.ts';
import { newcomer, newOrganization, PASSWORD } from './people.ts';

const ADMIN = 'admin@crossfade.test';
const AT_ONCE = 50;
const env = {
  ENABLE_SIGNUP: 'true',
  TRUST_PROXY: '1',
  API_THROTTLE_PER_MINUTE: '0',
  MAX_ORGANIZATIONS_PER_ACCOUNT: '6',
  MAX_SESSIONS_PER_ACCOUNT: '5',
  MAX_MEMBERS_PER_ORGANIZATION: '4',
  MAX_INVITATIONS_PER_ORGANIZATION: '8',
  MAX_PROJECTS_PER_ORGANIZATION: '7',
  MAX_TOKENS_PER_PROJECT: '3',
  MAX_SERVICE_TOKENS: '4',
};

onEachDatabase('limits', env, (gateway) => {
  let operations: Map<string, Operation>;
  beforeAll(async () => {
    ({ operations: all } = await operationsOf(gateway().url));
    operations = new Map(all.map((one) => [one.name, one]));
  });
  let all: readonly Operation[] = [];

  const operation = (name: string) => {
    const found = operations.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };
  const owner = async () => {
    const person = await newcomer(gateway());
    return { ...person, organization: await newOrganization(person.as) };
  };
  const count = async (as: ApiClient, path: string) =>
    (await as.json<unknown[]>('GET', `${path}?limit=100`)).length;

  /** Sends fifty at once: as many as fit are created, and the others are told the limit. */
  async function holds(name: string, ask: (index: number) => Asked, fit: number, sentence: string) {
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) => operation(name).call(ask(index))),
    );
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(AT_ONCE - fit);
    expect(answers.filter(({ status }) => status < 300)).toHaveLength(fit);
    for (const { text } of refused)
      expect((JSON.parse(text) as { detail: string }).detail).toContain(sentence);
  }

  it('of organizations hold for one account, whether it creates or joins them', async () => {
    const { as } = await newcomer(gateway());
    const ask = () => ({ as, body: { name: 'One of many' } });
    await holds('POST /api/v2/organizations', ask, 6, 'may be in 6 organizations');
    const other = await owner();
    const { link } = await invite(other.as, other.organization, 'any@example.com');
    const accept = { as, body: { secret: secretOf(link) } };
    const refused = await operation('POST /api/v2/invitations/accept').call(accept);
    expect(refused.status).toBe(409);
    // Leaving one makes room, and the invitation is still valid.
    const [first] = await as.json<{ id: string }[]>('GET', '/organizations');
    const me = await as.json<{ email_address: string }>('GET', '/users/me');
    const { link: second } = await invite(as, first?.id ?? '', 'successor@example.com');
    await other.as.json('POST', '/invitations/accept', { secret: secretOf(second) });
    await as.json('DELETE', `/organizations/${first?.id}/users/${me.email_address}`);
    expect((await operation('POST /api/v2/invitations/accept').call(accept)).status).toBe(200);
    expect(await count(as, '/organizations')).toBe(6);
  });

  it('of organizations hold while some are created and others joined', async () => {
    const [joiner, host] = [await newcomer(gateway()), await newcomer(gateway())];
    const secrets: string[] = [];
    for (let made = 0; made < 5; made += 1) {
      const organization = await newOrganization(host.as);
      secrets.push(secretOf((await invite(host.as, organization, joiner.email)).link));
    }
    const answers = await Promise.all([
      ...secrets.map((secret) => joiner.as.call('POST', '/invitations/accept', { secret })),
      ...secrets.map(() => joiner.as.call('POST', '/organizations', { name: 'Own' })),
    ]);
    expect(answers.map(({ status }) => status).filter((status) => status === 409)).toHaveLength(4);
    expect(await count(joiner.as, '/organizations')).toBe(6);
  });

  it('of projects and their tokens hold for one parent, and a deletion makes room', async () => {
    const { as, organization } = await owner();
    const body = { organization_id: organization, name: 'One of many' };
    await holds('POST /api/v2/projects', () => ({ as, body }), 7, 'may have 7 projects');
    const [first, second] = await as.json<{ id: string }[]>('GET', '/projects');
    const ask = () => ({ as, path: { id: first?.id ?? '' }, body: {} });
    await holds('POST /api/v2/projects/{id}/tokens', ask, 3, 'may have 3 tokens');
    // Another project has its own quota.
    expect((await as.call('POST', `/projects/${second?.id}/tokens`, {})).status).toBe(201);
    const [token] = await as.json<{ id: string }[]>('GET', `/projects/${first?.id}/tokens`);
    await as.json('DELETE', `/tokens/${token?.id}`);
    expect((await as.call('POST', `/projects/${first?.id}/tokens`, {})).status).toBe(201);
    await as.json('DELETE', `/projects/${second?.id}`);
    expect((await as.call('POST', '/projects', body)).status).toBe(201);
  });

  it('of a project that is deleted at the same time are a 404', async () => {
    const { as, organization } = await owner();
    for (let round = 0; round < 5; round += 1) {
      const { id } = await as.json<{ id: string }>('POST', '/projects', {
        organization_id: organization,
        name: 'Short-lived',
      });
      const answers = await Promise.all([
        ...Array.from({ length: 6 }, () => as.call('POST', `/projects/${id}/tokens`, {})),
        as.call('DELETE', `/projects/${id}`),
      ]);
      for (const { status } of answers) expect([201, 204, 404, 409]).toContain(status);
    }
  });

  it('of invitations hold, and a repeated one counts once', async () => {
    const { as, organization } = await owner();
    const path = (index: number) => ({ id: organization, email: `invited-${index}@example.com` });
    const name = 'POST /api/v2/organizations/{id}/users/{email}';
    await holds(name, (index) => ({ as, path: path(index) }), 8, 'may have 8 open invitations');
    const listed = await as.json<{ id: string; email_address: string }[]>(
      'GET',
      `/organizations/${organization}/invitations`,
    );
    expect(listed).toHaveLength(8);
    await invite(as, organization, listed[0]?.email_address ?? '');
    expect(await count(as, `/organizations/${organization}/invitations`)).toBe(8);
    await as.json('DELETE', `/organizations/${organization}/invitations/${listed[1]?.id}`);
    await invite(as, organization, 'late@example.com');
  });

  it('of members hold, however many accept at once', async () => {
    const { as, organization } = await owner();
    const people = await Promise.all(Array.from({ length: 7 }, () => newcomer(gateway())));
    const offers: { id: string; secret: string; as: ApiClient }[] = [];
    for (const person of people) {
      const { id, link } = await invite(as, organization, person.email);
      offers.push({ id, secret: secretOf(link), as: person.as });
    }
    const answers = await Promise.all(
      offers.map((offer, index) =>
        index % 2 === 0
          ? operation('POST /api/v2/invitations/accept').call({
              as: offer.as,
              body: { secret: offer.secret },
            })
          : operation('POST /api/v2/users/me/invitations/{id}/accept').call({
              as: offer.as,
              path: { id: offer.id },
            }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(4);
    expect(await count(as, `/organizations/${organization}/users`)).toBe(4);
    // Those who did not fit are still invited.
    expect(await count(as, `/organizations/${organization}/invitations`)).toBe(4);
  });

  it('of sessions end the least recently used, and never lock the owner out', async () => {
    const { email, as } = await newcomer(gateway());
    const logIn = () => ApiClient.login(gateway().url, email, PASSWORD);
    const sessions = await Promise.all(Array.from({ length: 20 }, logIn));
    const newest = await logIn();
    expect(await count(newest, '/users/me/tokens')).toBe(5);
    const alive = await Promise.all(sessions.map(async (one) => (await one.call('GET', '/users/me')).status));
    expect(alive.filter((status) => status === 200)).toHaveLength(4);
    expect((await as.call('GET', '/users/me')).status).toBe(401);
  });

  it('of service tokens hold for all together', async () => {
    const admin = await ApiClient.login(gateway().url, ADMIN);
    // The sample data has one already.
    const ask = () => ({ as: admin, body: { scopes: ['push:publish'] } });
    await holds('POST /api/v2/tokens', ask, 3, 'may be 4 tokens of services');
  });

  it('do not count what is refused for another reason', async () => {
    const { as, organization } = await owner();
    for (let bad = 0; bad < 10; bad += 1) {
      await as.call('POST', '/projects', { organization_id: organization, name: '' });
      await as.call('POST', '/projects', { organization_id: crypto.randomUUID(), name: 'Foreign' });
    }
    expect(
      (await as.call('POST', '/projects', { organization_id: organization, name: 'First' })).status,
    ).toBe(201);
  });
});
