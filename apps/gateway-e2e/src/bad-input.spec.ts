import { createConnection } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ApiClient } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachDatabase } from './databases.ts';
import { exercises } from './exercises.ts';
import { operationsOf, type Answered, type Operation } from './operations.ts';
import { makeWorld, type World } from './world.ts';

const LONG = 'x'.repeat(5000);
const SQL = "'; DROP TABLE users; SELECT pg_sleep(10); --";
const HTML = '<img src=x onerror=alert(1)>';
/** Values for a field. If one happens to be valid, the route accepts it, which does no harm. */
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  0.5,
  '',
  ' ',
  LONG,
  SQL,
  HTML,
  'nul \u0000 inside',
  'lone \ud800 surrogate',
  '\u202eright to left',
  [],
  [[]],
  ['a', 1, null],
  {},
  { $ne: null },
  { toString: 'x', constructor: { prototype: {} } },
  crypto.randomUUID(),
  '2026-13-45T99:99:99Z',
];
/** Parameters, as encoded in a URL. */
const PARAMETERS: readonly string[] = [
  '',
  '%20',
  '-1',
  '0',
  '1.5',
  '1e999',
  'NaN',
  'null',
  'undefined',
  '%00',
  '%ED%A0%80',
  '%',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  encodeURIComponent(SQL),
  encodeURIComponent(HTML),
  '%25%25%5F%5C',
  'x'.repeat(3000),
  ','.repeat(300),
  'constructor',
  '__proto__',
  '2026-13-45T99:99:99Z',
];
const deep = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels);
/** Bodies, as bytes on the wire. */
const BODIES: readonly string[] = [
  '',
  ' ',
  'null',
  'true',
  '0',
  '"text"',
  '[]',
  '{}',
  '[null, 1, "text", [], {}]',
  '{"broken',
  '{"a":1}{"b":2}',
  '{"a":1,}',
  '\ufeff{}',
  '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}',
  deep('[', ']', 100_000),
  `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
  `{"message":${deep('[', ']', 5000)}}`,
  '{"message":"\\ud800\\u0000"}',
  `{"${'k'.repeat(10_000)}":1}`,
  `{${Array.from({ length: 5000 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
];
const LEAKS = /node_modules|\bat \S+ \(|SELECT |INSERT |postgres|pglite|drizzle|\/src\/|argon2/i;

onEachDatabase(
  'bad input on every route',
  { ENABLE_SIGNUP: 'true', API_THROTTLE_PER_MINUTE: '0', INGEST_THROTTLE_PER_MINUTE: '0' },
  (gateway, database) => {
    let operations: Operation[];
    let world: World;
    let looked = 0;
    // The code that reads input is the same on both, and the embedded database is slow.
    const share = database === 'PostgreSQL' || process.env['FIELD_FULL'] === '1' ? 1 : 3;
    /** In `npm test`, the embedded database gets a third of the inputs: another third for each field. */
    const some = <T>(values: readonly T[]): T[] =>
      values.filter((_value, index) => (index + looked) % share === 0);
    beforeAll(async () => {
      ({ operations } = await operationsOf(gateway().url));
      operations = operations.filter(({ name }) => name !== 'GET /api/v2/push');
      world = await makeWorld(gateway());
    });

    /** The response is described, is not a server error, and reveals nothing of the implementation or of others. */
    function isHarmless(operation: Operation, { status, text }: Answered): void {
      looked += 1;
      expect(status, `${operation.name}: ${text}`).toBeLessThan(500);
      if (status >= 400) expect(text, operation.name).not.toMatch(LEAKS);
      expect(text, operation.name).not.toContain(world.foreign.stacks);
      expect(text, operation.name).not.toContain('of Globex only');
    }

    it('as a parameter', async () => {
      for (const operation of operations) {
        for (const where of ['path', 'query'] as const) {
          for (const parameter of operation.parameters(where)) {
            const asked = await harmless(operation, world);
            const requests = some(PARAMETERS).map(async (value) => {
              const given = asked[where];
              const bad =
                where === 'query'
                  ? `${parameter}=${value}`
                  : {
                      ...(typeof given === 'object' ? given : {}),
                      [parameter]: value === '' ? '%20' : value,
                    };
              isHarmless(operation, await operation.call({ ...asked, [where]: bad }));
            });
            await Promise.all(requests);
            if (where === 'path') continue;
            for (const query of [
              `${parameter}[a]=1`,
              `${parameter}[]=1`,
              `${parameter}=1&${parameter}=2`,
              parameter,
            ])
              isHarmless(operation, await operation.call({ ...asked, query }));
          }
        }
      }
    });

    it('as a field of a body', async () => {
      for (const operation of operations) {
        const fields = fieldsOf(operation);
        if (fields.length === 0) continue;
        const asked = await harmless(operation, world);
        const body = typeof asked.body === 'object' && !Array.isArray(asked.body) ? asked.body : {};
        for (const field of fields) {
          const requests = some(VALUES).map(async (value) =>
            isHarmless(operation, await operation.call({ ...asked, body: { ...body, [field]: value } })),
          );
          await Promise.all(requests);
          const { [field]: _absent, ...rest } = { ...body } as Record<string, unknown>;
          isHarmless(operation, await operation.call({ ...asked, body: rest }));
        }
      }
    });

    it('as a body', async () => {
      for (const operation of operations.filter(({ bodySchema }) => bodySchema !== undefined)) {
        const asked = await harmless(operation, world);
        for (const body of some(BODIES)) isHarmless(operation, await operation.call({ ...asked, body }));
        for (const headers of [
          { 'Content-Type': 'application/json; charset=latin1' },
          { 'Content-Type': 'application/json; charset=utf-16' },
          { 'Content-Type': 'text/plain' },
          { 'Content-Type': 'nonsense' },
          { 'Content-Encoding': 'gzip' },
          { 'Content-Encoding': 'nonsense' },
        ])
          isHarmless(operation, await operation.call({ ...asked, body: '{"a":1}', headers }));
      }
    });

    it('as compressed bytes that grow, as too many events, and as a body that never ends', async () => {
      const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20));
      const response = await fetch(`${world.url}/api/v2/events`, {
        method: 'POST',
        body: new Uint8Array(bomb),
        headers: {
          Authorization: `Bearer ${world.client.token}`,
          'Content-Type': 'application/json',
          'Content-Encoding': 'gzip',
        },
      });
      expect(response.status).toBe(413);
      const many = await world.client.call('POST', '/events', `[${'{},'.repeat(50_000)}{}]`);
      expect(many.status).toBe(413);
      expect(await many.json()).toMatchObject({ detail: expect.stringContaining('at most 50000') as string });
      const socket = createConnection(Number(new URL(world.url).port), '127.0.0.1');
      socket.write(
        'POST /api/v2/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":',
      );
      socket.destroy();
    });

    it('as a token', async () => {
      for (const value of [
        '',
        ' ',
        'Bearer',
        'Bearer ',
        'Basic YTpi',
        `Bearer ${LONG}`,
        `Bearer ${SQL}`,
        'Bearer a b',
      ]) {
        const response = await fetch(`${world.url}/api/v2/users/me`, { headers: { Authorization: value } });
        expect(response.status, value).toBe(401);
      }
    });

    it('does no harm', async () => {
      console.log(`${looked} bad requests`);
      expect(looked).toBeGreaterThan(1000);
      expect((await fetch(`${world.url}/health/ready`)).status).toBe(200);
      expect((await ApiClient.login(world.url, 'member@crossfade.test')).token).toBeDefined();
      expect((await world.member.call('GET', `/stacks/${world.own.stacks}`)).status).toBe(200);
      expect((await world.admin.call('GET', `/stacks/${world.foreign.stacks}`)).status).toBe(200);
      expect(
        gateway()
          .output.split('\n')
          .filter((line) => line.includes('"level":50')),
      ).toEqual([]);
    });
  },
);

/** A request that would succeed, on data that later rounds do not need. */
async function harmless(operation: Operation, world: World) {
  const exercise = exercises[operation.name];
  if (exercise === undefined) throw new Error(`${operation.name} has no exercise`);
  return exercise.good(world);
}

function fieldsOf({ bodySchema }: Operation): string[] {
  if (bodySchema === undefined) return [];
  const [one = bodySchema] = bodySchema.oneOf ?? bodySchema.anyOf ?? [];
  return Object.keys(one.properties ?? {});
}
