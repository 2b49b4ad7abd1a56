import { Logger } from '@nestjs/common';
import type { Database } from './database/database.js';
import { createFirstAdministrator } from './first-administrator.js';
import type { Settings } from './process/settings.js';
import { StartupError } from './process/startup-error.js';
import { createSampleData, hasSampleSecrets, mayHaveSampleData } from './sample-data.js';

const logger = new Logger('Gateway');

/**
 * Makes the accounts that the settings ask for. Sample accounts have publicly known secrets, so it also checks that they are
 * only where they are wanted. @throws StartupError
 */
export async function prepareData(database: Database, settings: Settings): Promise<void> {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password, SAMPLE_DATA, ALLOW_SAMPLE_DATA } = settings;
  if (SAMPLE_DATA && !ALLOW_SAMPLE_DATA && !(await mayHaveSampleData(database))) {
    throw new StartupError(
      'SAMPLE_DATA is on, but the database has other accounts: set SAMPLE_DATA to false, or, if everybody may log in to this gateway with the passwords from the documentation, set ALLOW_SAMPLE_DATA to true.',
    );
  }
  if (
    email !== undefined &&
    password !== undefined &&
    (await createFirstAdministrator(database, email, password))
  ) {
    logger.log('ADMIN_EMAIL is the first administrator.');
  }
  if (SAMPLE_DATA) return createSampleData(database);
  if (!(await hasSampleSecrets(database))) return;
  if (!ALLOW_SAMPLE_DATA) {
    throw new StartupError(
      'The database has sample accounts or tokens, whose secrets everyone knows, but SAMPLE_DATA is off: start with ALLOW_SAMPLE_DATA=true to remove them, or, if everybody may log in here, keep that setting.',
    );
  }
  logger.warn('The database has sample accounts or tokens, whose secrets everyone knows: remove them.');
}
