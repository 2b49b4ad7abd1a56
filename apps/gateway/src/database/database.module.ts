import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { OpenDatabase } from './database.js';
import { AUTHENTICATION_DATABASE, DATABASE } from './database.token.js';
import { OUTBOX_SCOPE, Outbox } from './outbox.js';
import type { OutboxScope } from './outbox-rows.js';

/** Injects the `OpenDatabase`. */
export const OPEN = Symbol('OPEN');

@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(
    @Inject(OPEN) private readonly open: OpenDatabase,
    private readonly outbox: Outbox,
  ) {}

  /** `outboxScope`: `everything` if the push log is one that replicas share. */
  static of(open: OpenDatabase, outboxScope: OutboxScope = 'criticals'): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [
        { provide: OPEN, useValue: open },
        { provide: DATABASE, useValue: open.database },
        { provide: AUTHENTICATION_DATABASE, useValue: open.authentication },
        { provide: OUTBOX_SCOPE, useValue: outboxScope },
        Outbox,
      ],
      exports: [OPEN, DATABASE, AUTHENTICATION_DATABASE, Outbox],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.outbox.close();
    await this.open.close();
  }
}
