import { Logger } from '@nestjs/common';
import type { Database } from './database/database.js';
import { createFirstAdministrator } from './first-administrator.js';
import { createSampleData, hasSampleSecrets, mayHaveSampleData } from './sample-data.js';
import type { Settings } from './process/settings.js';
import { StartupError } from './process/startup-error.js';

const logger = new Logger('Gateway');

/** Makes the accounts that the settings ask for, and holds the samples, whose secrets everyone knows, to where they are wanted. @throws StartupError */
export async function prepareData(database: Database, settings: Settings): Promise<void> {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password, SAMPLE_DATA, ALLOW_SAMPLE_DATA } = settings;
  if (SAMPLE_DATA && !ALLOW_SAMPLE_DATA && !(await mayHaveSampleData(database))) {
    throw new StartupError(
      'SAMPLE_DATA is on, and the database has accounts of its own: set SAMPLE_DATA to false, or, if everybody may log in to this gateway with the passwords of our documentation, ALLOW_SAMPLE_DATA to true.',
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
      'The sample accounts or tokens are in the database, with secrets that everyone knows, and SAMPLE_DATA is off: start with ALLOW_SAMPLE_DATA=true to remove them, or, if everybody may log in here, leave it so.',
    );
  }
  logger.warn('The sample accounts or tokens are here, with secrets that everyone knows: remove them.');
}
