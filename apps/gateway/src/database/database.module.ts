import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { DatabaseJournal } from '../push/journal.js';
import type { OpenDatabase } from './database.js';
import { DATABASE } from './database.token.js';

const OPEN = Symbol('OPEN');

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
        DatabaseJournal,
      ],
      exports: [DATABASE, DatabaseJournal],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.open.close();
  }
}
