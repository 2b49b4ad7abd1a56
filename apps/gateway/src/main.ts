import 'reflect-metadata';
import { Logger as NestLogger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { PushWsAdapter } from '@crossfade/push/nest';
import { Logger, PinoLogger } from 'nestjs-pino';
import { describeApi } from './api-docs/openapi.js';
import { apiDocs } from './api-docs/swagger-page.js';
import { AppModule } from './app.module.js';
import { browserApps, missingBrowserApps } from './browser-apps.js';
import { openDatabase, type OpenDatabase } from './database/database.js';
import { observeOutbox } from './database/outbox-metrics.js';
import { Outbox } from './database/outbox.js';
import { OutboxRelay } from './database/outbox-relay.js';
import { configVersion } from './events/config-version.js';
import { Housekeeping } from './housekeeping.js';
import { ClientAddress, serveAddress } from './http/client-address.js';
import { markClientLibraryRoutes } from './http/client-library-routes.js';
import { compress } from './http/compression.js';
import { cors } from './http/cors.js';
import { warnOfForwarded } from './http/forwarded.js';
import { logging } from './http/logging.js';
import { spell } from './http/paths.js';
import { boundRequests } from './http/request-timeouts.js';
import { apiHeaders } from './http/security-headers.js';
import { answerBeforeBody } from './http/unread-body.js';
import { openMailer } from './identity/mailer.js';
import { prepareData } from './initial-data.js';
import { describeFault } from './process/fault-log.js';
import { startMetrics, type Metrics } from './process/metrics.js';
import { readSettings, type Settings } from './process/settings.js';
import { couldNotListen, StartupError } from './process/startup-error.js';
import { watchEventLoop } from './process/watchdog.js';
import { openSharedRedis } from './redis/open-redis.js';

async function start(): Promise<void> {
  // Stored data is private: files that the embedded database makes are accessible to this account only.
  process.umask(0o077);
  const settings = readSettings(process.env);
  // Also for lines that are logged before there is an application.
  const params = logging(settings.LOG_LEVEL, settings.REPLICA_NAME);
  NestLogger.overrideLogger(new Logger(new PinoLogger(params), params));
  const mailer = await openMailer(settings.MAILER);
  const metrics = await startMetrics(settings);
  // Before the database, which a start that fails should not migrate.
  const redis = await openSharedRedis(settings, metrics.provider);
  const open = await openDatabase(settings);
  try {
    const module = AppModule.of(settings, open, redis, metrics.provider, mailer);
    const app = await NestFactory.create<NestExpressApplication>(module, {
      bodyParser: false,
      bufferLogs: true,
      abortOnError: false,
      forceCloseConnections: true,
    });
    configure(app, settings);
    await prepareData(open.database, settings);
    observe(app, open, metrics);
    const end = endOnce(app, metrics, settings);
    await listen(app, settings);
    endOnSignals(end);
    endOnFaults(end);
    watchEventLoop(settings.WATCHDOG_SECONDS);
  } catch (error) {
    await open.close();
    throw error;
  }
}

function configure(app: NestExpressApplication, settings: Settings): void {
  app.useWebSocketAdapter(new PushWsAdapter(app, { spell }));
  app.useLogger(app.get(Logger));
  app.flushLogs();
  app.disable('x-powered-by');
  const server = app.getHttpServer();
  server.keepAliveTimeout = IDLE_CONNECTION_MS;
  boundRequests(server, settings.BODY_SECONDS);
  answerBeforeBody(server);
  const addresses = app.get(ClientAddress);
  serveAddress(app, addresses);
  app.use(
    '/docs',
    compress,
    apiDocs(() => describeApi(app)),
  );
  app.use(browserApps());
  app.use(apiHeaders);
  app.use(markClientLibraryRoutes(app));
  app.use(configVersion);
  app.enableCors(cors(settings.CORS_ORIGINS));
  const logger = new NestLogger('Gateway');
  warnOfForwarded(server, addresses, (sentence) => logger.warn(sentence));
  for (const warning of settings.warnings) logger.warn(warning);
  for (const folder of missingBrowserApps())
    logger.warn(`The app in ${folder} is not built: run "npm run build".`);
}

/** Adds the gateway's own metrics; the push library has its own. */
function observe(app: INestApplication, open: OpenDatabase, { provider }: Metrics): void {
  const meter = provider.getMeter('@crossfade/gateway');
  open.observe(meter);
  observeOutbox(meter, app.get(Outbox), app.get(OutboxRelay));
  const { loops } = app.get(Housekeeping);
  meter
    .createObservableGauge('crossfade.gateway.loop.age', {
      description: 'Seconds since the last completed round of a periodic job',
      unit: 's',
    })
    .addCallback((result) => {
      for (const { name, age } of loops) result.observe(age, { loop: name });
    });
}

/**
 * Longer than proxies keep an idle connection (nginx: 60 s), so that the proxy always closes it: if we closed it while a
 * request is on its way, that request would fail. Node's default is 5 s.
 */
const IDLE_CONNECTION_MS = 75_000;

/**
 * Connections that the kernel queues until we accept them. When a replica ends, its clients come all at once, and one that
 * finds the queue full waits a second or more. Linux allows 4096 by default (`net.core.somaxconn`); Node asks for 511.
 */
const BACKLOG = 4096;

async function listen(app: INestApplication, { PORT, HOST, REPLICA_NAME }: Settings): Promise<void> {
  try {
    // NestJS passes it on to Node, but its types have no backlog.
    await app.listen(PORT, HOST, BACKLOG as never);
  } catch (error) {
    throw couldNotListen(error, 'PORT', PORT, HOST);
  }
  const url = (await app.getUrl()).replace('[::1]', 'localhost');
  new NestLogger('Gateway').log(`Listening on ${url} as ${REPLICA_NAME}`);
  // Tells a parent process where the gateway listens.
  process.send?.({ ready: url });
}

/** Shuts down gracefully. A second call, or a shutdown that takes too long, exits at once. */
function endOnce(app: INestApplication, metrics: Metrics, { SHUTDOWN_TIMEOUT_SECONDS }: Settings) {
  let isEnding = false;
  return (code: 0 | 1): void => {
    if (isEnding) process.exit(1);
    isEnding = true;
    setTimeout(() => process.exit(1), SHUTDOWN_TIMEOUT_SECONDS * 1000).unref();
    const closed = app.close().then(() => metrics.close());
    closed.then(
      () => process.exit(code),
      (error: unknown) => {
        new NestLogger('Gateway').error(`The gateway did not shut down gracefully: ${describeFault(error)}`);
        process.exit(1);
      },
    );
  };
}

/** The first signal shuts down gracefully, the second exits at once. */
function endOnSignals(end: (code: 0 | 1) => void): void {
  const endWell = (): void => end(0);
  process.on('SIGINT', endWell);
  // The parent process is gone, and with it the terminal that could have stopped this one.
  process.once('disconnect', endWell);
  process.on('SIGTERM', endWell);
}

/**
 * The last line of defense: an uncaught error leaves the process in an unknown state, so it ends. But it ends gracefully,
 * because thousands of streams may be open, and they are drained first.
 */
function endOnFaults(end: (code: 0 | 1) => void): void {
  const fault = (error: unknown): void => {
    new NestLogger('Gateway').fatal(
      `The gateway shuts down because of an uncaught error: ${describeFault(error)}`,
    );
    end(1);
  };
  process.on('uncaughtException', fault);
  process.on('unhandledRejection', fault);
}

start().catch((error: unknown) => {
  process.stderr.write(
    error instanceof StartupError
      ? `${error.message}\n`
      : `The gateway could not start: ${describeFault(error)}\n`,
  );
  process.exit(1);
});
