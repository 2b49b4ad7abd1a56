import type { Database } from './database/database.js';
import { users } from './database/schema.js';
import { hashPassword } from './identity/passwords.js';

/** Makes the first administrator if there is no account yet. Says whether it did. */
export async function createFirstAdministrator(
  database: Database,
  email: string,
  password: string,
): Promise<boolean> {
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
