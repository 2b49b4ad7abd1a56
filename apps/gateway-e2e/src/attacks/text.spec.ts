import { PUSH_PATH } from '@crossfade/protocol';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { processorMs } from './processes.ts';

/** Texts that make expressions backtrack, or start again at every character. */
const PARTS = [
  '-',
  '--a.',
  '.',
  '.-',
  '"',
  "'",
  '`',
  '1',
  '1.',
  '1,',
  '0x',
  'a0',
  'f',
  'f-',
  ' ',
  '\t',
  'http://',
  'https:',
  '@',
  'a@',
  'a.@',
  ',',
  '%',
  '\\',
  '/',
  ':1',
  ':',
  '?',
  '#',
  'at ',
  'Z',
  '+00:00',
  '0-',
  '2026-',
  'T00:',
  'Bearer ',
  ';',
  '=',
  '::',
  '1.1.1.1, ',
  '_',
];
const IN_BODY_ONLY = ['\n', '\nat ', '\u00e9', '\ud83d\ude00', '\\n at '];
/** Milliseconds that the longest may take: five times what was measured. */
const BOUND_MS = 5 * 100;
/** Less than this means nothing: a request costs some time whatever is in it. */
const MEASURABLE_MS = 60;

type Ask = (text: string) => Promise<Response>;

describe('text at its limit takes time in proportion to its length', () => {
  let host: GatewayHost;
  let member: ApiClient;
  beforeAll(async () => {
    host = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: {
        TRUST_PROXY: '1',
        API_THROTTLE_PER_MINUTE: '0',
        INGEST_THROTTLE_PER_MINUTE: '0',
        INGEST_EVENTS_PER_MINUTE: '0',
        ENABLE_SIGNUP: 'true',
      },
    });
    member = await ApiClient.login(host.url, 'member@crossfade.test');
  });
  afterAll(() => host.stop());

  /** The gateway's processor time: other programs' work does not count. */
  async function time(ask: Ask, text: string, rounds: number): Promise<number> {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const before = processorMs(host.pid);
      const answer = await ask(text);
      await answer.body?.cancel();
      times.push(processorMs(host.pid) - before);
      expect(answer.status, text.slice(0, 20)).toBeLessThan(500);
    }
    return Math.min(...times);
  }

  /** A time that is long enough to measure is compared with that of half the text. */
  async function hold(ask: Ask, whole: string, half: string, what: string): Promise<void> {
    if ((await time(ask, whole, 1)) < MEASURABLE_MS) return;
    const [ofHalf, ofWhole] = [await time(ask, half, 5), await time(ask, whole, 5)];
    expect(ofWhole, what).toBeLessThan(BOUND_MS);
    expect(ofWhole, what).toBeLessThan(ofHalf * 3 + MEASURABLE_MS);
  }

  async function compare(ask: Ask, parts: readonly string[], limit: number): Promise<void> {
    for (const part of parts) {
      const text = part.repeat(Math.ceil(limit / part.length));
      for (const end of ['', ' x'])
        await hold(
          ask,
          text.slice(0, limit) + end,
          text.slice(0, limit / 2) + end,
          JSON.stringify(part + end),
        );
    }
  }

  const post = (path: string, body: unknown, token: string | undefined = undefined) =>
    new ApiClient(host.url, token).call('POST', path, body);
  const asStorefront = (body: unknown) => post('/events', body, sampleToken.storefront);
  const frames = (text: string) =>
    Array.from({ length: 4 }, () => ({ name: text, declaring_type: text, file_name: text }));

  it('in an event: every field that is read', async () => {
    const event = (text: string) => ({
      type: text,
      source: text,
      message: text,
      date: text,
      tags: [text, text],
      reference_id: text,
      data: { '@error': { type: text, message: text, stack_trace: frames(text) } },
    });
    await compare((text) => asStorefront(event(text)), [...PARTS, ...IN_BODY_ONLY], 40_000);
  });

  it('in an event: a trace as one string, and its own signature', async () => {
    const trace = (text: string) => ({
      '@simple_error': { type: text, stack_trace: `Error\n at ${text}\n at ${text}` },
    });
    const signature = (text: string) => ({
      '@stack': { title: text, signature_data: { [text]: text, b: text } },
    });
    const both = (text: string) => [{ data: trace(text) }, { data: signature(text) }];
    await compare((text) => asStorefront(both(text)), [...PARTS, ...IN_BODY_ONLY], 40_000);
  });

  it('in an event: very many of something', async () => {
    const many = (count: number): Record<string, unknown>[] => [
      { tags: Array.from({ length: count }, (_, index) => ` ${index}`) },
      { data: { '@error': { stack_trace: Array.from({ length: count }, () => ({})) } } },
      {
        data: {
          '@stack': {
            signature_data: Object.fromEntries(
              Array.from({ length: count }, (_, index) => [`k${count - index}`, '']),
            ),
          },
        },
      },
      { data: Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index])) },
    ];
    for (const [index, whole] of many(90_000).entries()) {
      const bodies = new Map([
        ['whole', JSON.stringify(whole)],
        ['half', JSON.stringify(many(45_000)[index])],
      ]);
      await hold((which) => asStorefront(bodies.get(which)), 'whole', 'half', String(index));
    }
    const deep = (levels: number) => `{"data":{"deep":${'['.repeat(levels)}${']'.repeat(levels)}}}`;
    await hold(asStorefront, deep(90_000), deep(45_000), 'deep');
    const numbers = (count: number) =>
      `{"data":{"numbers":[${Array.from({ length: count }, () => '9007199254740993').join(',')}]}}`;
    await hold(asStorefront, numbers(90_000), numbers(45_000), 'numbers with many digits');
  });

  it.each<[string, Ask]>([
    [
      'a password, with its name and address',
      (text) => post('/auth/signup', { email: `${text}@example.com`, password: text, full_name: text }),
    ],
    [
      'an address at login',
      (text) => post('/auth/login', { email: text.slice(0, 320), password: text.slice(0, 1000) }),
    ],
    ['a name', (text) => member.call('POST', '/projects', { organization_id: text, name: text })],
    [
      'a description',
      (text) =>
        post(
          '/events/by-ref/none/user-description',
          { email_address: text, description: text, data: { text } },
          sampleToken.storefront,
        ),
    ],
    [
      'a message of a service',
      (text) =>
        post(
          '/push/messages',
          { type: text, message: { type: text, organization_id: text, change_type: 1 } },
          sampleToken.service,
        ),
    ],
  ])('in a body: %s', async (_field, ask) => {
    await compare(ask, [...PARTS, ...IN_BODY_ONLY], 60_000);
  });

  const inHeader =
    (name: string, path: string, token?: string): Ask =>
    (text) =>
      fetch(`${host.url}${path}`, {
        headers: { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), [name]: text },
        ...(path.endsWith('messages') ? { method: 'POST' } : {}),
      });
  const inUrl =
    (before: string, after = '', token = member): Ask =>
    (text) =>
      token.call('GET', `${before}${encodeURIComponent(text).slice(0, 14_000).replace(/%.?$/, '')}${after}`);

  it.each<[string, () => Ask]>([
    ['a bearer token', () => inHeader('Authorization', '/api/v2/users/me')],
    ['a bearer token of a stream', () => inHeader('Authorization', PUSH_PATH)],
    ['an Idempotency-Key', () => inHeader('Idempotency-Key', '/api/v2/push/messages', sampleToken.service)],
    ['forwarded addresses', () => inHeader('X-Forwarded-For', '/api/v2/users/me', member.token)],
    ['a cursor', () => inHeader('Last-Event-ID', PUSH_PATH, 'nobody')],
    ['a content type', () => inHeader('Content-Type', '/api/v2/push/messages', sampleToken.service)],
    ['an origin', () => inHeader('Origin', '/api/v2/users/me', member.token)],
    ["a client's name", () => inUrl('/push?client=')],
    ['types', () => inUrl('/push?types=')],
    ['ids', () => inUrl('/stacks/')],
    ['an address', () => inUrl('/organizations/00000000-0000-4000-8000-000000000000/users/')],
    ['search words', () => inUrl('/organizations/00000000-0000-4000-8000-000000000000/stacks?q=')],
    [
      'a date',
      () => (text) =>
        member.call(
          'POST',
          `/stacks/00000000-0000-4000-8000-000000000000/mark-snoozed?snoozeUntilUtc=${encodeURIComponent(text.slice(0, 5000))}`,
        ),
    ],
    ['a path', () => inUrl('/nothing/')],
  ])('in the head of a request: %s', async (_field, ask) => {
    await compare(ask(), PARTS, 14_000);
  });
});
