import { eq, inArray } from 'drizzle-orm';
import { hashToken } from './access/tokens.js';
import type { Database, Transaction } from './database/database.js';
import { users } from './database/schema/accounts.js';
import { memberships, organizations, projects, type PlanId } from './database/schema/organizations.js';
import { tokens } from './database/schema/tokens.js';
import { hashPassword, verifyPassword } from './identity/passwords.js';

const PASSWORD = 'tester';
const ADMINISTRATOR = 'admin@crossfade.test';
const MEMBER = 'member@crossfade.test';

const tokenOf = {
  storefront: 'demo-storefront-token-0000000000000000',
  storefrontPush: 'demo-storefront-push-token-00000000000',
  rocket: 'demo-rocket-token-00000000000000000000',
  intranet: 'demo-intranet-token-00000000000000000',
  service: 'demo-service-token-000000000000000000',
};

/** Whether the sample accounts may be made in this database: it has them already, or it is empty. */
export async function mayHaveSampleData(database: Database): Promise<boolean> {
  if ((await database.$count(users)) === 0) return true;
  return (await database.$count(users, eq(users.email, ADMINISTRATOR))) > 0;
}

/** Makes the sample accounts, unless the sample administrator exists. */
export async function createSampleData(database: Database): Promise<void> {
  const passwordHash = await hashPassword(PASSWORD);
  await database.transaction(async (transaction) => {
    const made = await transaction
      .insert(users)
      .values({ email: ADMINISTRATOR, fullName: 'Ada Admin', passwordHash, roles: ['administrator'] })
      .onConflictDoNothing()
      .returning();
    const [administrator] = made;
    if (administrator === undefined) return;
    const [member] = await transaction
      .insert(users)
      .values({ email: MEMBER, fullName: 'Mel Member', passwordHash })
      .onConflictDoUpdate({ target: users.email, set: { email: MEMBER } })
      .returning();
    const members = member === undefined ? [] : [member.id];
    const acme = await createOrganization(transaction, 'Acme', 'unlimited', [administrator.id, ...members]);
    const globex = await createOrganization(transaction, 'Globex', 'free', [administrator.id]);
    const storefront = await createProject(transaction, acme, 'Storefront');
    const rocket = await createProject(transaction, acme, 'Rocket');
    const intranet = await createProject(transaction, globex, 'Intranet');
    await transaction
      .insert(tokens)
      .values([
        { ...storefront, kind: 'project', hash: hashToken(tokenOf.storefront), scopes: ['client'] },
        {
          ...storefront,
          kind: 'project',
          hash: hashToken(tokenOf.storefrontPush),
          scopes: ['client', 'push:subscribe'],
        },
        { ...rocket, kind: 'project', hash: hashToken(tokenOf.rocket), scopes: ['client'] },
        { ...intranet, kind: 'project', hash: hashToken(tokenOf.intranet), scopes: ['client'] },
        { kind: 'service', hash: hashToken(tokenOf.service), scopes: ['push:publish'] },
      ])
      .onConflictDoNothing();
  });
}

/** Whether anyone who has read the documentation could log in. */
export async function hasSampleSecrets(database: Database): Promise<boolean> {
  const found = await database
    .select({ id: tokens.id })
    .from(tokens)
    .where(inArray(tokens.hash, Object.values(tokenOf).map(hashToken)))
    .limit(1);
  if (found.length > 0) return true;
  const accounts = await database
    .select()
    .from(users)
    .where(inArray(users.email, [ADMINISTRATOR, MEMBER]));
  const known = await Promise.all(accounts.map(({ passwordHash }) => verifyPassword(passwordHash, PASSWORD)));
  return known.includes(true);
}

async function createOrganization(
  transaction: Transaction,
  name: string,
  planId: PlanId,
  userIds: readonly string[],
): Promise<string> {
  const [made] = await transaction.insert(organizations).values({ name, planId }).returning();
  if (made === undefined) throw new Error('an insert returned no row');
  await transaction
    .insert(memberships)
    .values(userIds.map((userId) => ({ organizationId: made.id, userId })));
  return made.id;
}

async function createProject(transaction: Transaction, organizationId: string, name: string) {
  const [made] = await transaction.insert(projects).values({ organizationId, name }).returning();
  if (made === undefined) throw new Error('an insert returned no row');
  return { organizationId, projectId: made.id };
}
