import 'reflect-metadata';
import { Logger as NestLogger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { PushWsAdapter } from '@crossfade/push/nest';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.js';
import { browserApps, missingBrowserApps } from './browser-apps.js';
import { openDatabase, type Database } from './database/database.js';
import { configVersion } from './events/config-version.js';
import { createFirstAdministrator } from './first-administrator.js';
import { compressAnswers } from './http/compression.js';
import { cors } from './http/cors.js';
import { apiDocs } from './http/docs.js';
import { warnOfForwarded } from './http/forwarded.js';
import { describeApi } from './http/openapi.js';
import { apiHeaders } from './http/security-headers.js';
import { boundRequests } from './http/request-time.js';
import { answerBeforeBody } from './http/unread-body.js';
import { createSampleData, hasSampleSecrets } from './sample-data.js';
import { startMetrics, type Metrics } from './metrics.js';
import { readSettings, type Settings } from './settings.js';
import { couldNotListen, StartupError } from './startup-error.js';

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const metrics = await startMetrics(settings);
  const open = await openDatabase(settings);
  try {
    const module = AppModule.of(settings, open, metrics.provider);
    const app = await NestFactory.create<NestExpressApplication>(module, {
      bodyParser: false,
      bufferLogs: true,
      cors: cors(settings.CORS_ORIGINS),
      abortOnError: false,
      forceCloseConnections: true,
    });
    configure(app, settings);
    await prepareData(open.database, settings);
    await listen(app, settings);
    endOnSignals(app, metrics, settings);
  } catch (error) {
    await open.close();
    throw error;
  }
}

function configure(app: NestExpressApplication, settings: Settings): void {
  app.useLogger(app.get(Logger));
  app.flushLogs();
  app.disable('x-powered-by');
  const server = app.getHttpServer();
  server.keepAliveTimeout = IDLE_CONNECTION_MS;
  boundRequests(server, settings.BODY_SECONDS);
  answerBeforeBody(server);
  app.set('trust proxy', settings.TRUST_PROXY);
  app.useWebSocketAdapter(new PushWsAdapter(app));
  app.use(compressAnswers);
  app.use(
    '/docs',
    apiDocs(() => describeApi(app)),
  );
  app.use(browserApps());
  app.use(apiHeaders);
  app.use(configVersion);
  const logger = new NestLogger('Gateway');
  if (settings.TRUST_PROXY === false) warnOfForwarded(server, (sentence) => logger.warn(sentence));
  for (const warning of settings.warnings) logger.warn(warning);
  for (const folder of missingBrowserApps())
    logger.warn(`No app is built in ${folder}: run "npm run build".`);
}

async function prepareData(database: Database, settings: Settings): Promise<void> {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = settings;
  const logger = new NestLogger('Gateway');
  if (
    email !== undefined &&
    password !== undefined &&
    (await createFirstAdministrator(database, email, password))
  ) {
    logger.log(`${email} is the first administrator.`);
  }
  if (settings.SAMPLE_DATA) await createSampleData(database);
  else if (await hasSampleSecrets(database)) {
    logger.warn('The sample accounts or tokens are here, with secrets that everyone knows: remove them.');
  }
}

/**
 * Longer than proxies keep an idle connection (nginx: 60 s), so that it is always they who close it: one that we close
 * while a request is on its way is a failed request. Node's own is 5 s.
 */
const IDLE_CONNECTION_MS = 75_000;

/**
 * Connections that the kernel keeps until we take them. When a replica ends, its clients come all at once; one that finds
 * the list full waits a second or more. Linux allows 4096 by default (`net.core.somaxconn`), Node asks for 511.
 */
const BACKLOG = 4096;

async function listen(app: INestApplication, { PORT, HOST }: Settings): Promise<void> {
  try {
    // NestJS passes it on to Node; its types know no backlog.
    await app.listen(PORT, HOST, BACKLOG as never);
  } catch (error) {
    throw couldNotListen(error, 'PORT', PORT, HOST);
  }
  const url = (await app.getUrl()).replace('[::1]', 'localhost');
  new NestLogger('Gateway').log(`Listening on ${url}`);
  // Whoever started this as a child is told where it is.
  process.send?.({ ready: url });
}

/** The first signal ends in order, the second at once. */
function endOnSignals(app: INestApplication, metrics: Metrics, { SHUTDOWN_TIMEOUT_SECONDS }: Settings): void {
  let ending = false;
  const end = (): void => {
    if (ending) process.exit(1);
    ending = true;
    setTimeout(() => process.exit(1), SHUTDOWN_TIMEOUT_SECONDS * 1000).unref();
    const closed = app.close().then(() => metrics.close());
    closed.then(
      () => process.exit(0),
      (error: unknown) => {
        new NestLogger('Gateway').error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', end);
  // Whoever started this as a child is gone, and with it the terminal that could have ended it.
  process.once('disconnect', end);
  process.on('SIGTERM', end);
}

start().catch((error: unknown) => {
  process.stderr.write(
    error instanceof StartupError
      ? `${error.message}\n`
      : `The gateway could not start: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(1);
});
