import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { answerTo } from '../attacks/raw-socket.ts';
import { operationsOf, type Operation } from '../operations.ts';

const ALLOWED = 'https://app.example.com';
const FOREIGN = 'https://elsewhere.example';

/** `Access-Control-Request-Headers` as each sends it. */
const ASKED: Readonly<Record<string, string>> = {
  'Chromium, for @exceptionless/browser': 'authorization,content-type,x-exceptionless-client',
  // It lets a page set headers that the others reserve.
  'Firefox, for @exceptionless/browser': 'authorization,content-type,user-agent,x-exceptionless-client',
  'React Native': 'authorization,cache-control,content-type,x-requested-with',
  'react-native-sse': 'accept,authorization,cache-control,last-event-id,x-requested-with',
  'an agent that traces': 'authorization,baggage,newrelic,sentry-trace,traceparent,tracestate',
  'an agent of another kind': 'authorization,x-datadog-origin,x-datadog-parent-id,request-id,request-context',
  'a list with spaces and capitals': 'Authorization, Content-Type , X-Custom_Header.1',
  'very many': Array.from({ length: 200 }, (_, index) => `x-header-${index}`).join(','),
};

/** Routes that client libraries call from anybody's pages, in some of their spellings. */
const OPEN = [
  '/api/v2/events',
  '/api/v2/Events/',
  '//api/v2//events',
  '/api/v2/projects/0b7ea001-0000-4000-8000-000000000000/events',
  '/api/v2/projects/config',
  '/API/v2/projects/config/',
  '/api/v2/events/session/heartbeat',
  '/api/v2/events/by-ref/Some%2FReference/user-description',
];
const CLOSED = [
  '/api/v2/users/me',
  '/api/v2/push',
  '/api/v2/Push/',
  '/api/v2/stacks/0b7ea001-0000-4000-8000-000000000000/events',
  '/api/v2/events/0b7ea001-0000-4000-8000-000000000000',
  '/api/v2/events/by-ref/a/b/user-description',
];

describe('pages of other origins', () => {
  let gateway: GatewayHost;
  let operations: Operation[];
  beforeAll(async () => {
    gateway = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { CORS_ORIGINS: `${ALLOWED},https://b.example.com:8443` },
    });
    ({ operations } = await operationsOf(gateway.url));
  });
  afterAll(() => gateway.stop());

  interface Preflight {
    readonly status: number;
    readonly origin: string | undefined;
    readonly headers: readonly string[];
    readonly methods: readonly string[];
    readonly vary: readonly string[];
    readonly credentials: string | undefined;
  }

  async function preflight(path: string, origin: string, asked: string, method = 'POST'): Promise<Preflight> {
    const { status, head } = await answerTo(
      gateway.url,
      `OPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: ${method}\r\nAccess-Control-Request-Headers: ${asked}\r\n\r\n`,
    );
    const value = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1];
    const list = (name: string) => (value(name) ?? '').split(',').map((one) => one.trim().toLowerCase());
    return {
      status,
      origin: value('access-control-allow-origin'),
      headers: list('access-control-allow-headers'),
      methods: list('access-control-allow-methods'),
      vary: list('vary'),
      credentials: value('access-control-allow-credentials'),
    };
  }

  const namesIn = (asked: string) => asked.split(',').map((name) => name.trim().toLowerCase());

  describe.each(Object.entries(ASKED))('with the headers of %s', (_title, asked) => {
    it('may call the routes of client libraries from any origin', async () => {
      for (const path of OPEN) {
        for (const origin of [FOREIGN, ALLOWED, 'null']) {
          const answer = await preflight(path, origin, asked);
          expect(answer, path).toMatchObject({ status: 204, origin: '*', credentials: undefined });
          expect(answer.headers).toEqual(namesIn(asked));
          expect(answer.methods).toEqual(expect.arrayContaining(['get', 'post']));
          expect(answer.vary).toContain('access-control-request-headers');
        }
      }
    });

    it('may call everything else if their origin is allowed', async () => {
      for (const path of CLOSED) {
        for (const origin of [ALLOWED, 'https://b.example.com:8443', 'https://APP.example.com:443']) {
          const answer = await preflight(path, origin, asked, 'GET');
          expect(answer, path).toMatchObject({ status: 204, origin, credentials: undefined });
          expect(answer.headers).toEqual(namesIn(asked));
          expect(answer.vary).toEqual(expect.arrayContaining(['origin', 'access-control-request-headers']));
        }
        for (const origin of [FOREIGN, 'null', `${ALLOWED}.evil.example`, 'http://app.example.com', '[']) {
          const answer = await preflight(path, origin, asked, 'GET');
          expect(answer, path).toMatchObject({ status: 204, origin: undefined, credentials: undefined });
          expect(answer.headers).toEqual(['']);
          expect(answer.vary).toContain('origin');
        }
      }
    });
  });

  it('may request no header at all', async () => {
    const { status, head } = await answerTo(
      gateway.url,
      `OPTIONS /api/v2/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: ${FOREIGN}\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
    );
    expect(status).toBe(204);
    expect(head).toMatch(/^access-control-allow-origin: \*$/im);
    expect(head).not.toMatch(/^access-control-allow-headers/im);
  });

  it('read every response of an open route, refusals too, and of other routes only what is for their origin', async () => {
    const post = (path: string, origin: string, token: string) =>
      fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers: {
          Origin: origin,
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'X-Requested-With': 'XMLHttpRequest',
        },
        body: '{"message":"from elsewhere"}',
      });
    for (const [token, status] of [
      [sampleToken.storefront, 202],
      ['no-such-token', 401],
      [sampleToken.service, 403],
    ] as const) {
      const answer = await post('//api/v2/Events/', FOREIGN, token);
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      expect(answer.headers.get('x-exceptionless-configversion')).toBe('1');
      expect(answer.headers.get('access-control-expose-headers')).toContain('X-Exceptionless-ConfigVersion');
    }
    const { token = '' } = await ApiClient.login(gateway.url, 'member@crossfade.test');
    const me = (origin: string) =>
      fetch(`${gateway.url}/api/v2/Users/me`, {
        headers: { Origin: origin, Authorization: `Bearer ${token}` },
      });
    expect((await me(ALLOWED)).headers.get('access-control-allow-origin')).toBe(ALLOWED);
    expect((await me(FOREIGN)).headers.get('access-control-allow-origin')).toBeNull();
    expect((await me(FOREIGN)).headers.get('vary')).toMatch(/\borigin\b/i);
  });

  it('may call exactly the routes that are described as open', async () => {
    const open = operations.filter(({ description }) => description['x-any-origin'] === true);
    const ofClientLibraries = ['v1', 'v2'].flatMap((version) => [
      `GET /api/${version}/events/session/heartbeat`,
      `GET /api/${version}/projects/config`,
      `POST /api/${version}/events`,
      `POST /api/${version}/events/by-ref/{reference_id}/user-description`,
      `POST /api/${version}/events/submit`,
      `POST /api/${version}/projects/{id}/events`,
    ]);
    expect(open.map(({ name }) => name).sort()).toEqual(ofClientLibraries.sort());
    const openPaths = new Set(open.map(({ template }) => template));
    for (const { template, method, name } of operations) {
      const path = template.replace(/\{\w+\}/g, crypto.randomUUID());
      const { origin } = await preflight(path, FOREIGN, 'authorization', method.toUpperCase());
      expect(origin, name).toBe(openPaths.has(template) ? '*' : undefined);
    }
  });
});
