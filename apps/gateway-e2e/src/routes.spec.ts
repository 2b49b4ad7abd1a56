import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, dropDatabase, newDatabase } from '@crossfade/test-hosts';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { onEachDatabase, onPostgres } from './databases.ts';
import { exercises } from './exercises.ts';
import { operationsOf, type OpenApi, type Operation } from './operations.ts';
import { makeWorld, type World } from './world.ts';

/** The stream itself is not a request with one response: streams, rights, limits and disabled test it. */
const STREAM = 'GET /api/v2/push';
const UNKNOWN_TOKEN = 'no-such-token-0000000000000000000000000';

/** The largest body in bytes, by the end of the route's path. */
const LIMITS: readonly (readonly [string, number])[] = [
  ['/events', 5 * 1024 * 1024],
  ['/events/submit', 5 * 1024 * 1024],
  ['/push/messages', 2 * 1024 * 1024],
];
const LIMIT = ['', 256 * 1024] as const;

const takesAnyText = ({ name }: Operation, parameter: string): boolean =>
  ['q', 'reference_id', 'close'].includes(parameter) || name.includes('heartbeat');

/** The rights of routes in the documentation's table. */
function documentedRights(): Record<string, string> {
  const page = readFileSync(fileURLToPath(new URL('../../../docs/api.md', import.meta.url)), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z]+ \/[^`? ]*)(?:[`? ][^|]*)?\| (\w+) +\|/gm)];
  return Object.fromEntries(
    rows.map(([, route = '', right = '']) => [route, right] as const).filter(([route]) => route !== STREAM),
  );
}

onEachDatabase(
  'every route',
  {
    ENABLE_SIGNUP: 'true',
    API_THROTTLE_PER_MINUTE: '0',
    INGEST_THROTTLE_PER_MINUTE: '0',
    LOG_LEVEL: 'trace',
  },
  (gateway) => {
    let document: OpenApi;
    let operations: Operation[];
    let world: World;
    beforeAll(async () => {
      ({ document, operations } = await operationsOf(gateway().url));
      operations = operations.filter(({ name }) => name !== STREAM);
      world = await makeWorld(gateway());
    });

    const exerciseOf = ({ name }: Operation) => {
      const exercise = exercises[name];
      if (exercise === undefined) throw new Error(`${name} has no exercise`);
      return exercise;
    };

    it('is described by valid OpenAPI, has an exercise, and stands in docs/api.md with the same right', async () => {
      expect(await new Validator().validate(document as unknown as Record<string, unknown>)).toMatchObject({
        valid: true,
      });
      const described = operations.map(({ name }) => name).sort();
      expect(described).toEqual(Object.keys(exercises).sort());
      expect(documentedRights()).toEqual(
        Object.fromEntries(operations.map(({ name, right }) => [name, right ?? 'anyone'])),
      );
    });

    it('answers the right caller', async () => {
      for (const operation of operations) {
        const { good, is, also = {} } = exerciseOf(operation);
        const { status, text, headers } = await operation.call(await good(world));
        expect(status, `${operation.name}: ${text}`).toBe(is);
        // A browser guesses the type of a body without one, even an empty one.
        expect(headers.has('content-type'), operation.name).toBe(status !== 204);
        for (const [wanted, ask] of Object.entries(also)) {
          expect((await operation.call(await ask(world))).status, operation.name).toBe(Number(wanted));
        }
      }
    });

    it('requires a token, and accepts no unknown one', async () => {
      for (const operation of operations.filter(({ right }) => right !== 'anyone' && right !== undefined)) {
        const asked = await exerciseOf(operation).good(world);
        for (const as of [world.anyone, new ApiClient(world.url, UNKNOWN_TOKEN)]) {
          const answer = await operation.call({ ...asked, as });
          expect(answer.status, operation.name).toBe(401);
          expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        }
        const inQuery = `access_token=${world.admin.token}`;
        expect((await operation.call({ ...asked, as: world.anyone, query: inQuery })).status).toBe(401);
      }
    });

    it('refuses the wrong kind of caller', async () => {
      const wrong: Record<string, readonly ApiClient[]> = {
        user: [world.client, world.listener, world.service],
        administrator: [world.member, world.client, world.listener, world.service],
        client: [world.listener, world.service],
        publisher: [world.member, world.admin, world.client, world.listener],
      };
      for (const operation of operations) {
        for (const as of wrong[operation.right ?? ''] ?? []) {
          const asked = await exerciseOf(operation).good(world);
          expect((await operation.call({ ...asked, as })).status, operation.name).toBe(403);
        }
      }
    });

    it("does not find what is unknown, or another organization's", async () => {
      for (const operation of operations) {
        const [, kind, parameter] = /\/(\w+)\/\{(ids?)\}/.exec(operation.template) ?? [];
        if (kind === undefined || parameter === undefined) continue;
        const foreign = new Map(Object.entries(world.foreign)).get(kind);
        const own = new Map(Object.entries(world.own)).get(kind);
        const ids = [
          crypto.randomUUID(),
          ...(foreign === undefined ? [] : [foreign]),
          ...(parameter === 'ids' ? [`${own},${foreign}`] : []),
        ];
        for (const id of ids) {
          const asked = await exerciseOf(operation).good(world);
          const answer = await operation.call({ ...asked, path: { ...asked.path, [parameter]: id } });
          expect(answer.status, `${operation.name} ${id}`).toBe(404);
        }
      }
      // All or nothing: what was named together with something foreign still exists.
      expect((await world.member.call('GET', `/stacks/${world.own.stacks}`)).status).toBe(200);
    });

    it('says what is wrong with a parameter', async () => {
      for (const operation of operations) {
        for (const where of ['path', 'query'] as const) {
          for (const parameter of operation.parameters(where)) {
            const asked = await exerciseOf(operation).good(world);
            const given = asked[where];
            const bad =
              where === 'query' && takesAnyText(operation, parameter)
                ? `${parameter}=one&${parameter}=two`
                : { ...(typeof given === 'object' ? given : {}), [parameter]: 'no%20such' };
            if (where === 'path' && takesAnyText(operation, parameter)) continue;
            const answer = await operation.call({ ...asked, [where]: bad });
            expect(answer.status, `${operation.name} ${parameter}`).toBe(400);
            const { errors } = JSON.parse(answer.text) as { errors: { path: string; message: string }[] };
            expect(errors.map(({ path }) => path.split('.')[0])).toContain(parameter);
          }
        }
      }
    });

    it('says what is wrong with the stream that a change names', async () => {
      for (const operation of operations) {
        if (!operation.parameters('header').includes('Push-Connection')) continue;
        const asked = await exerciseOf(operation).good(world);
        const answer = await operation.call({
          ...asked,
          headers: { ...asked.headers, 'Push-Connection': 'no id' },
        });
        expect(answer.status, operation.name).toBe(400);
        const { errors } = JSON.parse(answer.text) as { errors: { path: string }[] };
        expect(errors.map(({ path }) => path)).toEqual(['Push-Connection']);
      }
    });

    it('says what is wrong with a body', async () => {
      for (const operation of operations.filter(({ bodySchema }) => bodySchema !== undefined)) {
        const asked = await exerciseOf(operation).good(world);
        const [, limit] = LIMITS.find(([end]) => operation.template.endsWith(end)) ?? LIMIT;
        const bodies: [number, string, Record<string, string>?][] = [
          [400, '{"broken'],
          [400, '"a text"'],
          [413, JSON.stringify({ value: 'x'.repeat(limit) })],
          [415, 'value=1', { 'Content-Type': 'application/x-www-form-urlencoded' }],
        ];
        for (const [status, body, headers = {}] of bodies) {
          expect(
            (await operation.call({ ...asked, body, headers })).status,
            `${operation.name} ${body.slice(0, 20)}`,
          ).toBe(status);
        }
      }
    });

    it('has returned every status that is described', () => {
      const missing = operations.flatMap(({ name, statuses, seen }) =>
        statuses.filter((status) => !seen.has(status)).map((status) => `${name} ${status}`),
      );
      // Throttles, a disabled sign-up, an unreachable database and a full disk need their own gateways: see the suites
      // below, and attacks/. So do limits: attacks/quotas.
      const elsewhere = [
        ...[429, 503, 507].flatMap((status) =>
          operations
            .filter(({ statuses }) => statuses.includes(status))
            .map(({ name }) => `${name} ${status}`),
        ),
        // Slow senders: attacks/bodies.
        ...operations.filter(({ bodySchema }) => bodySchema !== undefined).map(({ name }) => `${name} 408`),
        'POST /api/v2/organizations 409',
        'POST /api/v2/organizations/{id}/users/{email} 409',
        'POST /api/v2/users/me/invitations/{id}/accept 409',
        'POST /api/v2/invitations/accept 409',
        'POST /api/v2/projects 409',
        'POST /api/v2/projects/{id}/tokens 409',
        'POST /api/v2/tokens 409',
      ];
      expect(missing.sort()).toEqual(elsewhere.sort());
    });

    it('returns a problem, never a page, if it is unknown', async () => {
      for (const path of ['/api/v2/nothing', '/api/', '/api', '/api/v2/organizations/1/2/3']) {
        const response = await fetch(`${gateway().url}${path}`, { headers: { Accept: 'text/html' } });
        expect(response.status).toBe(404);
        expect(response.headers.get('content-type')).toMatch('application/problem+json');
      }
    });

    it('writes no secret into the logs, and no query', async () => {
      await fetch(`${world.url}/api/v2/push?access_token=${UNKNOWN_TOKEN}`);
      await fetch(`${world.url}/api/v2/nothing?access_token=${UNKNOWN_TOKEN}`);
      expect(gateway().output.length).toBeGreaterThan(10_000);
      const found = [...world.secrets, UNKNOWN_TOKEN, 'access_token', 'plain otters juggle', 'planId'].filter(
        (secret) => gateway().output.includes(secret),
      );
      expect(found).toEqual([]);
      expect(gateway().output).not.toContain('"level":50');
    });
  },
);

onPostgres('throttles', { API_THROTTLE_PER_MINUTE: '100', INGEST_THROTTLE_PER_MINUTE: '150' }, (gateway) => {
  let operations: Operation[];
  let world: World;
  beforeAll(async () => {
    ({ operations } = await operationsOf(gateway().url));
    world = await makeWorld(gateway());
  });

  it('count requests per token, say what is left, and refuse with the time to wait', async () => {
    const before = await world.member.call('GET', '/users/me');
    const [limit, remaining] = ['limit', 'remaining'].map((name) =>
      Number(before.headers.get(`x-ratelimit-${name}`)),
    );
    expect(limit).toBe(100);
    for (let left = remaining ?? 0; left > 0; left -= 1) {
      const answer = await world.member.call('GET', '/users/me');
      expect(answer.headers.get('x-ratelimit-remaining')).toBe(String(left - 1));
    }
    const refused = await world.member.call('GET', '/users/me');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(Number(refused.headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1000 - 1);
    expect((await world.admin.call('GET', '/users/me')).status).toBe(200);
  });

  it('hold on every route that has one, and on no other', async () => {
    // The member's budget is used up by now; this uses up the others'.
    await spend(() => world.admin.call('GET', '/users/me'));
    await spend(() => world.client.call('POST', '/events', {}));
    await spend(() => world.client.call('GET', '/events/session/heartbeat'));
    await spend(() => world.service.call('POST', '/push/messages', {}));
    await spend(() => world.anyone.call('POST', '/auth/login', {}));
    const callers: Record<string, ApiClient> = {
      user: world.member,
      administrator: world.admin,
      client: world.client,
      publisher: world.service,
      anyone: world.anyone,
    };
    for (const operation of operations) {
      const as = callers[operation.right ?? ''];
      if (as === undefined) continue;
      const { status } = await operation.call({
        as,
        path: {
          id: world.own.projects,
          ids: world.own.stacks,
          invitation_id: world.own.projects,
          email: 'a@example.com',
          reference_id: 'a',
        },
      });
      expect(status === 429, `${operation.name} answered ${status}`).toBe(operation.isThrottled);
      expect(operation.statuses.includes(429), operation.name).toBe(operation.isThrottled);
    }
    const exempt = operations.filter(({ isThrottled }) => !isThrottled).map(({ template }) => template);
    expect(exempt).toEqual([
      '/health/live',
      '/health',
      '/health/ready',
      '/api/v2/projects/config',
      '/api/v1/projects/config',
    ]);
    const stream = await fetch(`${world.url}/api/v2/push`, {
      headers: { Authorization: `Bearer ${world.member.token}` },
    });
    expect(stream.status).toBe(200);
    await stream.body?.cancel();
  });

  it('count events by request, not by event, and apart from the rest of the API', async () => {
    const answer = await world.spare.call(
      'POST',
      '/events',
      Array.from({ length: 200 }, () => ({ message: 'one of many' })),
    );
    expect(answer.status).toBe(202);
    expect(answer.headers.get('x-ratelimit-limit')).toBe('150');
    expect(answer.headers.get('x-ratelimit-remaining')).toBe('149');
  });
});

/** Calls until nothing is left of a budget. */
async function spend(call: () => Promise<Response>): Promise<void> {
  let statuses: number[] = [];
  while (!statuses.includes(429)) {
    const answers = await Promise.all(Array.from({ length: 25 }, call));
    statuses = answers.map(({ status }) => status);
  }
}

describe('failed logins', () => {
  let host: GatewayHost;
  beforeAll(async () => {
    host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { TRUST_PROXY: '1' },
    });
  });
  afterAll(() => host.stop());

  const attempt = (email: string, password: string, address: string) =>
    new ApiClient(host.url, undefined).call(
      'POST',
      '/auth/login',
      { email, password },
      { 'X-Forwarded-For': address },
    );

  it('are refused after ten for an account from an address, and nobody else is', async () => {
    const wrong = await Promise.all(
      Array.from({ length: 14 }, () => attempt('member@crossfade.test', 'wrong', '192.0.2.1')),
    );
    expect(wrong.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(wrong.filter(({ status }) => status === 429)).toHaveLength(4);
    const right = await attempt('member@crossfade.test', 'tester', '192.0.2.1');
    expect(right.status).toBe(429);
    expect(Number(right.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await attempt('member@crossfade.test', 'tester', '192.0.2.2')).status).toBe(200);
    expect((await attempt('admin@crossfade.test', 'tester', '192.0.2.1')).status).toBe(200);
  });

  it('start at zero after a success, and count an IPv6 network as one address', async () => {
    for (let round = 0; round < 3; round += 1) {
      for (let failed = 0; failed < 9; failed += 1)
        expect((await attempt('admin@crossfade.test', 'wrong', `2001:db8::${failed}`)).status).toBe(401);
      expect((await attempt('admin@crossfade.test', 'tester', '2001:db8::ffff')).status).toBe(200);
    }
    for (let failed = 0; failed < 10; failed += 1)
      await attempt('admin@crossfade.test', 'wrong', `2001:db8::${failed}`);
    expect((await attempt('admin@crossfade.test', 'tester', '2001:db8::ffff')).status).toBe(429);
    expect((await attempt('admin@crossfade.test', 'tester', '2001:db8:0:1::ffff')).status).toBe(200);
  });

  it('of many accounts from one address are refused too', async () => {
    const answers: number[] = [];
    for (let account = 0; account < 105; account += 1)
      answers.push((await attempt(`nobody-${account}@example.com`, 'wrong', '192.0.2.9')).status);
    expect(answers.filter((status) => status === 401)).toHaveLength(100);
    expect(answers.filter((status) => status === 429)).toHaveLength(5);
  });

  it('do not hide that sign-up is disabled', async () => {
    const [signUp] = (await operationsOf(host.url)).operations.filter(({ name }) => name.endsWith('/signup'));
    const answer = await signUp?.call({
      body: { email: 'new@example.com', password: 'plain otters juggle', full_name: 'New' },
    });
    expect(answer?.status).toBe(404);
  });
});

describe('readiness', () => {
  it('fails without the database, while the process lives', async () => {
    const databaseUrl = newDatabase(inject('postgresPort'));
    const host = await GatewayHost.start({ databaseUrl });
    const { operations } = await operationsOf(host.url);
    const [ready] = operations.filter(({ template }) => template === '/health/ready');
    expect((await ready?.call({}))?.status).toBe(200);
    dropDatabase(databaseUrl);
    await eventually('status 503', async () => ((await ready?.call({}))?.status === 503 ? true : undefined));
    expect((await fetch(`${host.url}/health/live`)).status).toBe(200);
    await host.stop();
  });
});
