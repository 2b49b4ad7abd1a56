import { request } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

/*
 * Bodies as clients write them. `kept`: how many events are stored; 0 if the body is refused.
 */

type Content = string | Uint8Array<ArrayBuffer> | undefined;
interface Row {
  readonly what: string;
  readonly body: Content;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly kept: number;
  /** The message of a refusal's only fault. */
  readonly says?: string;
  /** Sent without a Content-Length. */
  readonly chunked?: true;
}

const JSON_TYPE = 'application/json';
const EVENT = '{"message":"sent"}';
const NOT_JSON = 'is not valid JSON';
const EMPTY = 'is empty, and must be an event (a JSON object) or an array of events';
const NO_DOCUMENT = 'must be a JSON object or array';
const bytes = (text: string) => new TextEncoder().encode(text);

const taken = (what: string, body: Content, type: string, kept = 1): Row => ({
  what,
  body,
  headers: { 'Content-Type': type },
  status: 202,
  kept,
});
const refused = (what: string, body: Content, says: string, more: Partial<Row> = {}): Row => ({
  what,
  body,
  status: 400,
  kept: 0,
  says,
  ...more,
});

const charsets: readonly Row[] = [
  ...[
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json; charset=utf8',
    'application/json; charset=UTF8',
    'application/json; charset="utf-8"',
    'application/json; charset="utf8"',
    'application/json; charset=us-ascii',
    'application/json; charset=US-ASCII',
    'application/json; charset=ascii',
    'application/json; charset=',
    'application/json; charset=utf-8; boundary=x',
    'application/json; odata=verbose; charset=utf-8',
    'Application/JSON',
    'application/json ; charset=utf-8',
    'application/json;',
    'application/json; ',
    'application/json; charset=utf-8;',
    'application/json;; charset=utf-8',
  ].map((type) => taken(`as "${type}"`, EVENT, type)),
  ...[
    'utf-16',
    'utf-16le',
    'utf-32',
    'iso-8859-1',
    'latin1',
    'windows-1252',
    'utf-7',
    'nonsense',
    'utf-8859',
  ].map((charset): Row => ({
    what: `in ${charset}`,
    body: EVENT,
    headers: { 'Content-Type': `application/json; charset=${charset}` },
    status: 415,
    kept: 0,
  })),
];

const documents: readonly Row[] = [
  taken('an object', EVENT, JSON_TYPE),
  taken('an empty object', '{}', JSON_TYPE),
  taken('an array', `[${EVENT},${EVENT}]`, JSON_TYPE, 2),
  taken('an array with what is no event', `[${EVENT},null,1,"x",[],9007199254740993]`, JSON_TYPE),
  taken('an empty array', '[]', JSON_TYPE, 0),
  taken('with a byte order mark', `\ufeff${EVENT}`, JSON_TYPE),
  taken('with space around it', ` \r\n\t${EVENT}\r\n `, JSON_TYPE),
  taken(
    'with bytes that are no UTF-8',
    new Uint8Array([...bytes('{"message":"'), 0xff, 0xc0, ...bytes('"}')]),
    JSON_TYPE,
  ),
  taken('with one name twice', '{"message":"a","message":"b"}', JSON_TYPE),
  refused('cut', '{"message":"se', NOT_JSON),
  refused('two objects', `${EVENT}${EVENT}`, NOT_JSON),
  refused('lines of JSON', `${EVENT}\n${EVENT}`, NOT_JSON),
  refused('a comma too many', '{"message":"sent",}', NOT_JSON),
  refused('single quotes', "{'message':'sent'}", NOT_JSON),
  refused('a name without quotes', '{message:"sent"}', NOT_JSON),
  refused('a comment', '{"message":"sent"/* so */}', NOT_JSON),
  refused('what only JavaScript knows', '{"message":NaN}', NOT_JSON),
  refused('a control character in a text', '{"message":"a\u0001b"}', NOT_JSON),
  refused('a form', 'message=sent', NOT_JSON),
  refused('XML', '<event/>', NOT_JSON),
  refused('space only', ' \r\n ', NOT_JSON),
  refused('a byte order mark only', '\ufeff', NOT_JSON),
  refused('two byte order marks', `\ufeff\ufeff${EVENT}`, NOT_JSON),
  refused('NUL behind it', `${EVENT}\0`, NOT_JSON),
  refused('null', 'null', NO_DOCUMENT),
  refused('a text', '"sent"', NO_DOCUMENT),
  refused('a number', '1', NO_DOCUMENT),
  refused('a number with many digits', ' 9007199254740993', NO_DOCUMENT),
  refused('true', 'true', NO_DOCUMENT),
];

const empty: readonly Row[] = [
  refused('of no bytes', '', EMPTY),
  refused('of no bytes and no announced length', '', EMPTY, { chunked: true }),
  refused('of no bytes, compressed', gzipSync(''), EMPTY, { headers: { 'Content-Encoding': 'gzip' } }),
  refused('of no bytes, compressed by br', brotliCompressSync(''), EMPTY, {
    headers: { 'Content-Encoding': 'br' },
  }),
  refused('that is not there', undefined, EMPTY, { headers: { 'Content-Type': JSON_TYPE } }),
];

describe('bodies', () => {
  let host: GatewayHost;
  let member: ApiClient;
  let project: string;
  beforeAll(async () => {
    host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { API_THROTTLE_PER_MINUTE: '0', INGEST_THROTTLE_PER_MINUTE: '0' },
    });
    member = await ApiClient.login(host.url, 'member@crossfade.test');
    const projects = await member.json<{ id: string; name: string }[]>('GET', '/projects');
    project = projects.find(({ name }) => name === 'Storefront')?.id ?? '';
  });
  afterAll(async () => {
    expect(host.output.split('\n').filter((line) => line.includes('"level":50'))).toEqual([]);
    await host.stop();
  });

  const post = (path: string, token: string | undefined, { body, headers, chunked }: Partial<Row>) =>
    fetch(`${host.url}/api/v2${path}`, {
      method: 'POST',
      headers: {
        'Content-Type': JSON_TYPE,
        ...headers,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      ...(body === undefined
        ? {}
        : {
            body: chunked === true ? new Blob([body]).stream() : body,
            ...(chunked ? { duplex: 'half' } : {}),
          }),
    });
  const stored = async () => {
    const organizations = await member.json<{ name: string; usage: { month: { total: number } } }[]>(
      'GET',
      '/organizations',
    );
    return organizations.find(({ name }) => name === 'Acme')?.usage.month.total ?? 0;
  };

  async function hold(row: Row, path: string, token: string | undefined): Promise<void> {
    const before = await stored();
    const response = await post(path, token, row);
    const text = await response.text();
    expect(response.status, text).toBe(row.status);
    expect((await stored()) - before).toBe(row.kept);
    if (row.status < 400) return;
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    // Nothing of the parser's own message.
    expect(text).not.toMatch(/unexpected|token|position|column|char|SyntaxError/i);
    if (row.says !== undefined) {
      expect(JSON.parse(text)).toMatchObject({ errors: [{ path: '', message: row.says }] });
      expect((JSON.parse(text) as { detail: string }).detail).toMatch(/^The body /);
    } else expect((JSON.parse(text) as { detail: string }).detail).toContain('JSON in UTF-8');
  }

  describe.each([
    ['in a charset', charsets],
    ['as a document', documents],
    ['that are empty', empty],
  ])('%s', (_kind, rows) => {
    it.each(rows)('$what: $status', (row) => hold(row, '/events', sampleToken.storefront));
  });

  it('are the same for a member who posts to a project', async () => {
    for (const row of [...empty, ...documents.filter(({ kept }) => kept === 0)])
      await hold(row, `/projects/${project}/events`, member.token);
  });

  it('that are invalid get a fault with a path on every route that takes a body', async () => {
    const routes: [string, string | undefined][] = [
      ['/auth/login', undefined],
      ['/auth/reset-password', undefined],
      ['/invitations/read', undefined],
      ['/users/me/password', member.token],
      ['/organizations', member.token],
      ['/projects', member.token],
      ['/invitations/accept', member.token],
      ['/events/by-ref/r/user-description', sampleToken.storefront],
      ['/push/messages', sampleToken.service],
    ];
    for (const [path, token] of routes) {
      for (const { body, says, headers = {} } of documents.filter(({ status }) => status === 400)) {
        const response = await post(path, token, { body, headers });
        expect(response.status, path).toBe(400);
        expect(await response.json(), path).toMatchObject({ errors: [{ path: '', message: says }] });
      }
      for (const row of empty) {
        const response = await post(path, token, row);
        const problem = (await response.json()) as { detail: string; errors: unknown[] };
        expect(response.status, path).toBe(400);
        expect(problem.errors.length, path).toBeGreaterThan(0);
        expect(problem.detail, path).toMatch(/^The body (is missing|must be )/);
      }
    }
  });

  it('that are optional may be empty', async () => {
    for (const row of empty) {
      const response = await post(`/projects/${project}/tokens`, member.token, row);
      expect(response.status, row.what).toBe(201);
    }
  });

  it('of a request that takes none are ignored', async () => {
    const [{ id: stack = '' } = {}] = await member.json<{ id: string }[]>(
      'GET',
      `/projects/${project}/stacks?limit=1`,
    );
    const rows: [string, string, number][] = [
      ['GET', '/users/me', 200],
      ['GET', '/projects/config', 200],
      ['HEAD', '/users/me', 200],
      ['POST', `/stacks/${stack}/mark-fixed`, 200],
      ['DELETE', `/stacks/${stack}/mark-critical`, 200],
      ['GET', `/organizations/${crypto.randomUUID()}`, 404],
    ];
    for (const [method, path, status] of rows)
      for (const type of [JSON_TYPE, 'text/plain', 'application/json; charset=utf-16', 'nonsense', undefined])
        for (const body of ['{}', '{"broken', 'x=1', EVENT, ' '.repeat(20_000)])
          expect(
            await statusOf(host.url, { method, path, token: member.token, type, body }),
            `${method} ${path} ${type} ${body.slice(0, 20)}`,
          ).toBe(status);
  });
});

/** The status of a request with any method and a body. */
function statusOf(
  url: string,
  {
    method,
    path,
    token,
    type,
    body,
  }: Readonly<Record<'method' | 'path' | 'body', string>> & {
    readonly token: string | undefined;
    readonly type: string | undefined;
  },
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Length': Buffer.byteLength(body),
      ...(type === undefined ? {} : { 'Content-Type': type }),
    };
    request(`${url}/api/v2${path}`, { method, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end(body);
  });
}
