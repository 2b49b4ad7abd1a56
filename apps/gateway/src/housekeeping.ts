import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Stacks } from './events/stacks.js';
import { ExpiredTokens } from './identity/expired-tokens.js';
import { DatabaseJournal } from './push/journal.js';
import { REMEMBERED_MS, ServiceMessages } from './push/service-messages.js';
import { SETTINGS, type Settings } from './settings.js';

const EVERY_MS = 5000;

/** What time does: snoozes end, tokens expire, and what was kept long enough goes. Every replica looks, and one does what is due. */
@Injectable()
export class Housekeeping implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger(Housekeeping.name);
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(
    private readonly stacks: Stacks,
    private readonly expiredTokens: ExpiredTokens,
    private readonly journal: DatabaseJournal,
    private readonly serviceMessages: ServiceMessages,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    this.#next();
  }

  /** The round that runs is waited for: the database closes after it. */
  async onModuleDestroy(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#round;
  }

  #next(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.#run().then(() => {
        if (this.#timer !== undefined) this.#next();
      });
    }, EVERY_MS);
  }

  async #run(): Promise<void> {
    const now = new Date();
    const oldest = new Date(now.getTime() - this.settings.PUSH_CRITICAL_RETENTION_SECONDS * 1000);
    for (const work of [
      () => this.stacks.endSnoozes(now),
      () => this.expiredTokens.remove(now),
      () => this.journal.prune(oldest),
      () => this.serviceMessages.prune(new Date(now.getTime() - REMEMBERED_MS)),
    ]) {
      try {
        await work();
      } catch (error) {
        this.#logger.warn(
          `Something that is due waits ${EVERY_MS / 1000} s more: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  }
}
