import type { Database } from './database/database.js';
import { users } from './database/schema/accounts.js';
import { hashPassword, weaknessOf } from './identity/passwords.js';
import { StartupError } from './process/startup-error.js';

/** Makes the first administrator if there is no account yet. @returns whether it did @throws StartupError for a weak password */
export async function createFirstAdministrator(
  database: Database,
  email: string,
  password: string,
): Promise<boolean> {
  if ((await database.$count(users)) > 0) return false;
  const weakness = await weaknessOf(password, [email]);
  if (weakness !== undefined) throw new StartupError(`ADMIN_PASSWORD ${weakness}.`);
  const passwordHash = await hashPassword(password);
  return database.transaction(async (transaction) => {
    if ((await transaction.$count(users)) > 0) return false;
    await transaction.insert(users).values({
      email: email.toLowerCase(),
      fullName: 'Administrator',
      passwordHash,
      roles: ['administrator'],
    });
    return true;
  });
}
