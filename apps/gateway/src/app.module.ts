import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { catalog } from '@crossfade/protocol/catalog';
import type { MakeLimiter } from '@crossfade/push';
import { PushModule } from '@crossfade/push/nest';
import type { Redis } from '@crossfade/push/redis';
import type { MeterProvider } from '@opentelemetry/api';
import { LoggerModule } from 'nestjs-pino';
import { AccessModule } from './access/access.module.js';
import { AuthenticationGuard } from './access/authentication.guard.js';
import { GatewayAuthenticator } from './access/authenticator.js';
import { PublishingRequestInterceptor } from './access/publishing-request.interceptor.js';
import { RightGuard } from './access/right.guard.js';
import { ThrottleGuard } from './access/throttle.guard.js';
import { Throttle } from './access/throttle.js';
import type { OpenDatabase } from './database/database.js';
import { DatabaseModule } from './database/database.module.js';
import { Outbox } from './database/outbox.js';
import { OutboxRelay } from './database/outbox-relay.js';
import { Transactions } from './database/transactions.js';
import { Amendments } from './events/amendments.js';
import { IngestController } from './events/ingest.controller.js';
import { CONNECTIONS, Ingest } from './events/ingest.js';
import { PendingAmendments } from './events/pending-amendments.js';
import { StacksController } from './events/stacks.controller.js';
import { Stacks } from './events/stacks.js';
import { HealthController } from './health.controller.js';
import { Housekeeping } from './housekeeping.js';
import { BodyInterceptor } from './http/body.interceptor.js';
import { ClientAddress } from './http/client-address.js';
import { CompressionInterceptor } from './http/compression.js';
import { logging } from './http/logging.js';
import { ProblemFilter } from './http/problem.filter.js';
import { ValidationPipe } from './http/validation.pipe.js';
import { AccountsController } from './identity/accounts.controller.js';
import { Accounts } from './identity/accounts.js';
import { AuthController } from './identity/auth.controller.js';
import { ExpiredTokens } from './identity/expired-tokens.js';
import { FailedLogins } from './identity/failed-logins.js';
import { MAILER, OutgoingMail, type Mailer } from './identity/mailer.js';
import { PasswordChoices } from './identity/password-choices.js';
import { PasswordController } from './identity/password.controller.js';
import { Sessions } from './identity/sessions.js';
import { InvitationAcceptor, SignUp } from './identity/sign-up.js';
import { UsersController } from './identity/users.controller.js';
import { NotificationsController } from './notifications/notifications.controller.js';
import { Notifications } from './notifications/notifications.js';
import { ApiTokens } from './organizations/api-tokens.js';
import { InvitationsController } from './organizations/invitations.controller.js';
import { Invitations } from './organizations/invitations.js';
import { OrganizationsController } from './organizations/organizations.controller.js';
import { Organizations } from './organizations/organizations.js';
import { ProjectsController } from './organizations/projects.controller.js';
import { Projects } from './organizations/projects.js';
import { TokensController } from './organizations/tokens.controller.js';
import { UsageMeter } from './organizations/usage.js';
import { networkOf } from './parsing/address.js';
import { SETTINGS, type Settings } from './process/settings.js';
import { ConnectionsController } from './push/connections.controller.js';
import { Idempotency } from './push/idempotency.js';
import { MessagesController } from './push/messages.controller.js';
import { ServiceMessages } from './push/service-messages.js';
import { sharedParts } from './push/shared-parts.js';
import { RedisModule } from './redis/redis.module.js';
import { LIMITER } from './redis/redis.token.js';

@Module({})
export class AppModule {
  static of(
    settings: Settings,
    database: OpenDatabase,
    redis: Redis | undefined,
    meterProvider: MeterProvider,
    mailer?: Mailer,
  ): DynamicModule {
    const logger = new Logger('Gateway');
    const addresses = new ClientAddress(settings.TRUST_PROXY, (sentence) => logger.warn(sentence));
    return {
      module: AppModule,
      imports: [
        LoggerModule.forRoot(logging(settings.LOG_LEVEL, settings.REPLICA_NAME)),
        RedisModule.of(redis),
        DatabaseModule.of(database, redis === undefined ? 'criticals' : 'everything'),
        AccessModule,
        PushModule.forRootAsync({
          imports: [AccessModule],
          inject: [GatewayAuthenticator, Outbox, LIMITER],
          useFactory: (authenticator: GatewayAuthenticator, journal: Outbox, limiter: MakeLimiter) => ({
            catalog,
            authenticator,
            ...sharedParts(redis, journal, settings),
            limiter,
            meterProvider,
            addressOf: (request) => networkOf(addresses.of(request)),
            enabled: settings.enablePush,
            allowedOrigins: settings.CORS_ORIGINS,
            writeQueueCapacity: settings.PUSH_WRITE_QUEUE_CAPACITY,
            maxMessageBytes: settings.PUSH_MAX_MESSAGE_BYTES,
            keepAliveSeconds: settings.PUSH_KEEP_ALIVE_SECONDS,
            maxConnectionsPerOwner: settings.PUSH_MAX_CONNECTIONS_PER_USER,
            maxConnectionsPerTenant: settings.PUSH_MAX_CONNECTIONS_PER_ORGANIZATION,
            stallSeconds: settings.PUSH_STALL_SECONDS,
            windowCapacity: settings.PUSH_LOG_CAPACITY,
            criticalCapacity: settings.PUSH_CRITICAL_CAPACITY,
            criticalRetentionSeconds: settings.PUSH_CRITICAL_RETENTION_SECONDS,
            reauthorizeSeconds: settings.PUSH_REAUTHORIZE_SECONDS,
            ...(settings.PUSH_UNCONFIRMED_SECONDS === undefined
              ? {}
              : { unconfirmedSeconds: settings.PUSH_UNCONFIRMED_SECONDS }),
            drainSeconds: settings.PUSH_DRAIN_SECONDS,
          }),
        }),
      ],
      controllers: [
        HealthController,
        AuthController,
        UsersController,
        PasswordController,
        AccountsController,
        TokensController,
        OrganizationsController,
        InvitationsController,
        // Before ProjectsController, which would read `projects/config` as a project's id.
        IngestController,
        ProjectsController,
        StacksController,
        NotificationsController,
        ConnectionsController,
        MessagesController,
      ],
      providers: [
        { provide: SETTINGS, useValue: settings },
        { provide: ClientAddress, useValue: addresses },
        {
          provide: Throttle,
          inject: [LIMITER],
          useFactory: (limiter: MakeLimiter) =>
            new Throttle(
              {
                api: settings.API_THROTTLE_PER_MINUTE,
                ingest: settings.INGEST_THROTTLE_PER_MINUTE,
                events: settings.INGEST_EVENTS_PER_MINUTE,
              },
              limiter,
            ),
        },
        FailedLogins,
        PasswordChoices,
        Transactions,
        OutboxRelay,
        { provide: MAILER, useValue: mailer },
        OutgoingMail,
        Sessions,
        Accounts,
        SignUp,
        UsageMeter,
        Organizations,
        Projects,
        ApiTokens,
        {
          provide: CONNECTIONS,
          // The embedded database has one connection, so the pool's size does not apply.
          useValue: settings.DATABASE_URL === undefined ? 4 : settings.DATABASE_POOL_SIZE,
        },
        Invitations,
        { provide: InvitationAcceptor, useExisting: Invitations },
        Ingest,
        Amendments,
        PendingAmendments,
        Stacks,
        Notifications,
        Idempotency,
        ServiceMessages,
        ExpiredTokens,
        Housekeeping,
        // In this order: who calls, how often, and whether the caller may.
        { provide: APP_GUARD, useClass: AuthenticationGuard },
        { provide: APP_GUARD, useClass: ThrottleGuard },
        { provide: APP_GUARD, useClass: RightGuard },
        { provide: APP_INTERCEPTOR, useClass: PublishingRequestInterceptor },
        // After the guards, the body is read.
        { provide: APP_INTERCEPTOR, useClass: BodyInterceptor },
        { provide: APP_INTERCEPTOR, useClass: CompressionInterceptor },
        { provide: APP_PIPE, useClass: ValidationPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
