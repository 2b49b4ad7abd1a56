import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { PushWsAdapter } from '@crossfade/push/nest';
import { AppModule } from './app.module.js';
import { openDatabase, type Database } from './database/database.js';
import { createSampleData } from './sample-data.js';
import { readSettings } from './process/settings.js';

export interface StartedApp {
  readonly app: NestExpressApplication;
  readonly database: Database;
  stop(): Promise<void>;
}

/** The whole program with the sample data, in this process, so that a test can set its clock. */
export async function startApp(): Promise<StartedApp> {
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-app-'));
  const settings = readSettings({ DATA_DIR: folder, LOG_LEVEL: 'silent' });
  const open = await openDatabase(settings);
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.of(settings, open, undefined, new MeterProvider()),
    {
      bodyParser: false,
      logger: false,
    },
  );
  app.useWebSocketAdapter(new PushWsAdapter(app));
  await createSampleData(open.database);
  await app.init();
  return {
    app,
    database: open.database,
    stop: async () => {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
