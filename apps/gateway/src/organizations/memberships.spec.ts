import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../app.spec-kit.js';
import { users } from '../database/schema/accounts.js';
import { Sessions } from '../identity/sessions.js';

const MEMBER = 'member@crossfade.test';
/** More than a statement of PostgreSQL may have parameters. */
const MANY = 66_000;

let started: StartedApp;
beforeAll(async () => {
  started = await startApp();
  await started.app.listen(0, '127.0.0.1');
  await started.database.execute(sql`
    WITH made AS (INSERT INTO organizations (name) SELECT 'Org ' || n FROM generate_series(1, ${MANY}::int) n RETURNING id)
    INSERT INTO memberships (organization_id, user_id) SELECT made.id, users.id FROM made, users WHERE email = ${MEMBER}`);
}, 60_000);
afterAll(() => started.stop());

it('answers every list of somebody who is in very many organizations', { timeout: 60_000 }, async () => {
  const [member] = await started.database.select().from(users).where(eq(users.email, MEMBER));
  if (member === undefined) throw new Error('there is no member');
  const token = await started.app.get(Sessions).begin(member, undefined);
  const url = await started.app.getUrl();
  const get = (path: string) =>
    fetch(`${url}/api/v2${path}`, { headers: { Authorization: `Bearer ${token}` } });
  const me = (await (await get('/users/me')).json()) as { organization_ids: string[] };
  expect(me.organization_ids).toHaveLength(MANY + 1);
  const own = `/organizations/${me.organization_ids[0]}`;
  for (const path of [
    '/organizations',
    '/projects',
    '/users/me/tokens',
    '/users/me/invitations',
    own,
    `${own}/users`,
    `${own}/projects`,
    `${own}/stacks`,
    `${own}/invitations`,
  ])
    expect((await get(path)).status, path).toBe(200);
});
