import { ApiClient, inLetters } from '@crossfade/test-hosts';
import { beforeAll, describe, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { operationsOf, type Operation } from '../operations.ts';
import { makeWorld, type World } from '../world.ts';
import { newProject, type Project } from './projects.ts';

const STACKS = 105;
const APP = 'https://app.example';
const env = { API_THROTTLE_PER_MINUTE: '0', ENABLE_SIGNUP: 'true', CORS_ORIGINS: APP };

onEachDatabase('lists', env, (gateway) => {
  let admin: ApiClient;
  let project: Project;
  beforeAll(async () => {
    admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    project = await newProject(gateway().url, admin, 'Globex');
    await project.client.json(
      'POST',
      '/events',
      Array.from({ length: STACKS }, (_, index) => ({ message: `stack ${inLetters(index)}` })),
    );
  });

  /** The number of rows on the page, the total, and whether there is a next page. */
  const ask = async (query: string) => {
    const answer = await admin.call('GET', `/projects/${project.id}/stacks${query}`);
    const text = await answer.text();
    if (answer.status !== 200) return `${answer.status}: ${text}`;
    const next = answer.headers.get('link') === null ? 'last' : 'more';
    return `${(JSON.parse(text) as unknown[]).length} of ${answer.headers.get('x-result-count')}, ${next}`;
  };

  const queries: Readonly<Record<string, string>> = {
    '': '20 of 105, more',
    '?limit=100': '100 of 105, more',
    '?limit=101': '100 of 105, more',
    '?limit=1000': '100 of 105, more',
    '?limit=2147483648': '100 of 105, more',
    '?limit=99999999999999999999': '100 of 105, more',
    '?limit=0': '20 of 105, more',
    '?limit=-5': '20 of 105, more',
    '?limit=1': '1 of 105, more',
    '?limit=105&page=0': '100 of 105, more',
    '?limit=1000&page=2': '5 of 105, last',
    '?limit=35&page=3': '35 of 105, last',
    '?page=-1': '20 of 105, more',
    '?page=6': '5 of 105, last',
    '?page=7': '0 of 105, last',
    '?page=99999999999': '0 of 105, last',
    '?limit=&page=': '20 of 105, more',
    '?q=aa&limit=1000': '1 of 1, last',
    '?q=nothing+is+like+that': '0 of 0, last',
  };
  it.each(Object.entries(queries))('%s: %s', async (query, expected) => {
    expect(await ask(query)).toBe(expected);
  });

  it.each(['limit=ten', 'limit=1.5', 'page=1,2', 'limit=1&limit=2', 'page=NaN'])(
    '%s is no number, and is refused with a sentence',
    async (query) => {
      const [name] = query.split('=');
      expect(await ask(`?${query}`)).toMatch(new RegExp(`^400: .*"path":"${name}".*whole number`));
    },
  );

  it('continue after a limit that was too large, and end', async () => {
    const ids = new Set<string>();
    let path: string | undefined = `/api/v2/projects/${project.id}/stacks?limit=1000`;
    let pages = 0;
    for (; path !== undefined; pages += 1) {
      const answer = await admin.call('GET', path.replace('/api/v2', ''));
      for (const { id } of (await answer.json()) as { id: string }[]) ids.add(id);
      path = /^<([^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    expect({ pages, ids: ids.size }).toEqual({ pages: 2, ids: STACKS });
  });

  describe('of every kind', () => {
    let operations: readonly Operation[];
    let world: World;
    beforeAll(async () => {
      world = await makeWorld(gateway());
      const all = (await operationsOf(gateway().url)).operations;
      operations = all.filter((one) => one.parameters('query').includes('limit'));
    });

    it('accept any limit, and return the total', async () => {
      expect(operations.length).toBeGreaterThan(10);
      for (const operation of operations) {
        const id = /\/(organizations|projects|stacks)\/\{id\}/.exec(operation.template)?.[1] ?? '';
        const asked = {
          as: world.admin,
          path: { id: new Map(Object.entries(world.own)).get(id) ?? '' },
        };
        const whole = await operation.call({ ...asked, query: { limit: '1000', page: '0' } });
        expect(whole.status, operation.name).toBe(200);
        const { length } = JSON.parse(whole.text) as unknown[];
        expect(whole.headers.get('x-result-count'), operation.name).toBe(String(length));
        // The total counts all pages, whichever is requested.
        for (const page of ['1', '2', '1000']) {
          const part = await operation.call({ ...asked, query: { limit: '1', page } });
          expect(part.headers.get('x-result-count'), `${operation.name} ${page}`).toBe(String(length));
        }
      }
    });
  });

  it('show their count to the apps of other origins', async () => {
    const answer = await admin.call('GET', '/organizations', undefined, { Origin: APP });
    expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
    expect(answer.headers.get('access-control-expose-headers')).toContain('X-Result-Count');
  });
});
