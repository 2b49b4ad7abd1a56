import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, inLetters, sampleToken, type GatewayHost } from '@crossfade/test-hosts';

const MEMBER = 'member@crossfade.test';

/** Ids of one organization's data, by their name in a path. */
interface Things {
  readonly organizations: string;
  readonly projects: string;
  readonly stacks: string;
  readonly events: string;
  readonly tokens: string;
}

/** Another person's account. */
interface Guest {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly client: ApiClient;
}

/** Callers of every kind, and data of two organizations: the member belongs only to the first. */
export interface World {
  readonly url: string;
  readonly anyone: ApiClient;
  readonly admin: ApiClient;
  readonly member: ApiClient;
  readonly client: ApiClient;
  /** A project token that may only listen. */
  readonly listener: ApiClient;
  readonly service: ApiClient;
  /** Another project's client, which has sent nothing. */
  readonly spare: ApiClient;
  readonly own: Things;
  readonly foreign: Things;
  /** What no log may contain. */
  readonly secrets: Set<string>;
  /** An account that belongs to no organization. */
  guest(): Promise<Guest>;
  /** The id of an account that nobody uses, so that a test may end its sessions. */
  somebody(): Promise<string>;
  /** Creates a stack in the member's organization. */
  stack(): Promise<string>;
  project(): Promise<string>;
  projectToken(): Promise<string>;
}

export async function makeWorld(gateway: GatewayHost): Promise<World> {
  const { url } = gateway;
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  const member = await ApiClient.login(url, MEMBER);
  const client = new ApiClient(url, sampleToken.storefront);
  const acme = await thingsOf(admin, 'Acme', client);
  const globex = await thingsOf(admin, 'Globex', new ApiClient(url, sampleToken.intranet));
  const { token: listening } = await member.json<{ token: string }>(
    'POST',
    `/projects/${acme.projects}/tokens`,
    { scopes: ['push:subscribe'] },
  );
  let made = 0;
  let guest: Promise<Guest> | undefined;
  let somebody: Promise<Guest> | undefined;
  const secrets = new Set(
    ['tester', listening, admin.token, member.token, ...Object.values(sampleToken)].filter(
      (secret) => secret !== undefined,
    ),
  );
  return {
    url,
    anyone: new ApiClient(url, undefined),
    admin,
    member,
    client,
    listener: new ApiClient(url, listening),
    service: new ApiClient(url, sampleToken.service),
    spare: new ApiClient(url, sampleToken.rocket),
    own: acme,
    foreign: globex,
    secrets,
    guest: () => (guest ??= signUp(url, 'guest@example.com', secrets)),
    somebody: async () => (await (somebody ??= signUp(url, 'somebody@example.com', secrets))).id,
    stack: () => stackOf(member, client, acme.projects, `made for a test: ${inLetters(++made)}`),
    project: async () =>
      (
        await member.json<{ id: string }>('POST', '/projects', {
          organization_id: acme.organizations,
          name: 'Short-lived',
        })
      ).id,
    projectToken: async () =>
      (await member.json<{ id: string }>('POST', `/projects/${acme.projects}/tokens`, {})).id,
  };
}

async function signUp(url: string, email: string, secrets: Set<string>): Promise<Guest> {
  const account = { email, password: 'plain otters juggle', full_name: 'Gus Guest' };
  const { token } = await new ApiClient(url, undefined).json<{ token: string }>(
    'POST',
    '/auth/signup',
    account,
  );
  secrets.add(token).add(account.password);
  const client = new ApiClient(url, token);
  return { ...account, client, id: (await client.json<{ id: string }>('GET', '/users/me')).id };
}

async function thingsOf(admin: ApiClient, name: string, client: ApiClient): Promise<Things> {
  const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
  const organization = organizations.find((one) => one.name === name)?.id ?? '';
  const [project] = await admin.json<{ id: string }[]>(
    'GET',
    `/organizations/${organization}/projects?limit=1`,
  );
  const projectId = client.token === sampleToken.storefront ? await storefrontOf(admin) : (project?.id ?? '');
  const stack = await stackOf(admin, client, projectId, `of ${name} only`);
  const [event] = await admin.json<{ id: string }[]>('GET', `/stacks/${stack}/events`);
  const [token] = await admin.json<{ id: string }[]>('GET', `/projects/${projectId}/tokens`);
  return {
    organizations: organization,
    projects: projectId,
    stacks: stack,
    events: event?.id ?? '',
    tokens: token?.id ?? '',
  };
}

async function storefrontOf(admin: ApiClient): Promise<string> {
  const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
  return projects.find(({ name }) => name === 'Storefront')?.id ?? '';
}

async function stackOf(
  person: ApiClient,
  client: ApiClient,
  projectId: string,
  message: string,
): Promise<string> {
  await client.json('POST', '/events', { type: 'error', message });
  return eventually(`stack "${message}"`, async () => {
    const found = await person.json<{ id: string; title: string }[]>(
      'GET',
      `/projects/${projectId}/stacks?q=${encodeURIComponent(message)}`,
    );
    return found.find(({ title }) => title === message)?.id;
  });
}
