import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { OpenDatabase } from './database.js';
import { AUTHENTICATION_DATABASE, DATABASE } from './database.token.js';
import { Outbox } from './outbox.js';

/** Injects the `OpenDatabase`. */
export const OPEN = Symbol('OPEN');

@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(OPEN) private readonly open: OpenDatabase) {}

  static of(open: OpenDatabase): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [
        { provide: OPEN, useValue: open },
        { provide: DATABASE, useValue: open.database },
        { provide: AUTHENTICATION_DATABASE, useValue: open.authentication },
        Outbox,
      ],
      exports: [OPEN, DATABASE, AUTHENTICATION_DATABASE, Outbox],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.open.close();
  }
}
