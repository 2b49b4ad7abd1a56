import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { caddy, GatewayHost, haproxy, newDatabase, nginx, ProxyHost } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

/*
 * Clients behind a proxy have their own address each, however the proxy writes it and whatever they claim.
 */

const API_LIMIT = 16;

let gateway: GatewayHost;
const urls = new Map<string, string>();
const proxies: ProxyHost[] = [];
const PROXIES = [haproxy, caddy, nginx(), nginx('1.1')].map((program, index) => ({
  program,
  name: `${program.name}${['', '', ', HTTP/1.0', ', HTTP/1.1'][index]}`,
}));

beforeAll(async () => {
  gateway = await GatewayHost.start({
    databaseUrl: newDatabase(inject('postgresPort')),
    env: { TRUST_PROXY: '1', API_THROTTLE_PER_MINUTE: String(API_LIMIT) },
  });
  await Promise.all(
    PROXIES.map(async ({ name, program }) => {
      const proxy = await ProxyHost.start(program, gateway.url);
      proxies.push(proxy);
      urls.set(name, proxy.url);
    }),
  );
});
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await gateway.stop();
});

interface Asked {
  readonly path: string;
  readonly token?: string;
  readonly body?: object;
}

let written = 0;
/** What clients, and some proxies, may write: something different each time. */
const notRead = () => ({
  Forwarded: `for=198.19.0.${(written += 1) % 250};proto=https;host=example.com`,
  'X-Real-IP': `198.19.1.${written % 250}`,
  'X-Client-IP': `198.19.2.${written % 250}`,
  'X-Forwarded-Host': `${written}.example.com`,
  'X-Forwarded-Proto': 'https',
});

/** Sends a request as one of many clients that write an address into the header themselves. */
type Ask = (client: number, own: string | undefined, asked: Asked) => Promise<number | undefined>;

async function statusOf(
  url: string,
  { path, token, body }: Asked,
  forwarded: string | undefined,
  localAddress?: string,
): Promise<number | undefined> {
  const sent = request(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    agent: false,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(forwarded === undefined ? {} : { ...notRead(), 'X-Forwarded-For': forwarded }),
    },
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.destroy();
  return response.statusCode;
}

/** Each client has its own address, which the proxy sees. */
const through =
  (name: string): Ask =>
  (client, own, asked) =>
    statusOf(urls.get(name) ?? '', asked, own, `127.0.1.${client}`);

let ports = 1024;
/** The header as another kind of proxy writes it: it adds its client's address in its own form. */
const added =
  (write: (client: number, port: number) => string): Ask =>
  (client, own, asked) =>
    statusOf(gateway.url, asked, [own ?? [], write(client, (ports += 1))].flat().join(', '));

const FRONTS: Readonly<Record<string, Ask>> = {
  ...Object.fromEntries(PROXIES.map(({ name }) => [name, through(name)])),
  "Azure's Application Gateway": added((client, port) => `203.0.113.${client}:${port}`),
  "Amazon's load balancer, which keeps the port": added(
    (client, port) => `[2001:db8:a:${client}::1]:${port}`,
  ),
  'a proxy that writes quotes': added((client, port) => `"[2001:DB8:b:${client}::1]:${port}"`),
  'a proxy that writes IPv4 inside IPv6': added((client, port) => `[::ffff:198.51.100.${client}]:${port}`),
  'a proxy that writes brackets': added((client) => `[2001:db8:c:${client}::1]`),
  'a proxy that writes a zone': added((client) => `2001:db8:d:${client}::1%eth0`),
  'a proxy that writes spaces and empty members': added((client) => `,\t 192.0.2.${client} ,`),
  'a translator from IPv4 to IPv6': added((client) => `64:ff9b::192.88.99.${client}`),
};

/** What an attacker writes: something different each time. */
const OWN: readonly ((index: number) => string)[] = [
  (index) => `198.18.0.${index}`,
  (index) => `[2001:db8:ffff:${index}::1]:443`,
  (index) => `unknown-${index}`,
  () => '"[,',
  () => ', ,,',
  () => '127.0.0.1, ::1, 10.0.0.1',
  (index) => 'x'.repeat(index * 10),
];

let tokens = 0;
const badToken = () => `nobody-${(tokens += 1)}-0000000000000000000000000000`;
const login = (password: string): Asked => ({
  path: '/api/v2/auth/login',
  body: { email: 'member@crossfade.test', password },
});

/** The budgets that count by address. */
interface Budget {
  readonly what: string;
  readonly spend: () => Asked;
  readonly times: number;
  /** The status while the budget lasts. */
  readonly refusal: number;
  /** The status that others still get afterwards. */
  readonly others: () => Asked;
  readonly get: number;
}

const BAD_TOKENS: Budget = {
  what: 'of bad tokens',
  spend: () => ({ path: '/api/v2/users/me', token: badToken() }),
  times: API_LIMIT,
  refusal: 401,
  others: () => ({ path: '/api/v2/users/me', token: badToken() }),
  get: 401,
};
const BUDGETS: readonly Budget[] = [
  BAD_TOKENS,
  {
    what: 'of requests without a token',
    spend: () => ({ path: '/api/v2/invitations/read', body: { secret: 'none' } }),
    times: API_LIMIT,
    refusal: 404,
    others: () => ({ path: '/api/v2/invitations/read', body: { secret: 'none' } }),
    get: 404,
  },
];
/** These cost time, and the code that reads them is the same. */
const MORE_BUDGETS: readonly Budget[] = [
  {
    what: 'of failed logins',
    spend: () => login('wrong'),
    times: 10,
    refusal: 401,
    others: () => login('tester'),
    get: 200,
  },
  {
    what: 'of streams with bad tokens',
    spend: () => ({ path: '/api/v2/push', token: badToken() }),
    times: 120,
    refusal: 401,
    others: () => ({ path: '/api/v2/push', token: badToken() }),
    get: 401,
  },
];

let clients = 1;

describe.each(Object.entries(FRONTS))('behind %s', (name, ask) => {
  const isFull = process.env['FIELD_FULL'] === '1' || /HAProxy|Azure/.test(name);

  it.each([...BUDGETS, ...(isFull ? MORE_BUDGETS : [])])(
    'the budget $what is per client',
    async ({ spend, times, refusal, others, get }) => {
      const [attacker, other] = [(clients += 1), (clients += 1)];
      const statuses: (number | undefined)[] = [];
      for (let index = 0; index < times + 5; index += 1)
        statuses.push(await ask(attacker, OWN[index % OWN.length]?.(index), spend()));
      // No less, since nobody else uses the budget; no more, whatever the header says.
      expect(statuses.slice(0, times)).toEqual(Array(times).fill(refusal));
      expect(statuses.slice(times)).toEqual(Array(5).fill(429));
      expect(await ask(other, undefined, others())).toBe(get);
      expect(await ask(other, OWN[0]?.(0), others())).toBe(get);
    },
  );
});

describe('an invalid address of a trusted proxy', () => {
  const warnings = () => gateway.output.split('\n').filter((line) => line.includes('X-Forwarded-For'));

  it('counts as an address of its own, is warned of once, and does not affect other clients', async () => {
    // Every trusted header above was understood.
    expect(warnings()).toEqual([]);
    const nobody = added(() => 'unknown-zq');
    const statuses: (number | undefined)[] = [];
    for (let index = 0; index < API_LIMIT + 5; index += 1)
      statuses.push(await nobody(0, OWN[index % OWN.length]?.(index), BAD_TOKENS.spend()));
    expect(statuses.filter((status) => status === 429)).toHaveLength(5);
    for (const ask of Object.values(FRONTS)) expect(await ask(200, undefined, BAD_TOKENS.others())).toBe(401);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain('127.0.0.1');
    expect(gateway.output).not.toContain('unknown-zq');
  });
});
