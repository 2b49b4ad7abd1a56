import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Loop, systemClock } from '@crossfade/push';
import type { OpenDatabase } from './database/database.js';
import { OPEN } from './database/database.module.js';
import { DiskFull } from './database/disk-space.js';
import { Outbox } from './database/outbox.js';
import { OutboxRelay } from './database/outbox-relay.js';
import { PendingAmendments } from './events/pending-amendments.js';
import { Stacks } from './events/stacks.js';
import { ExpiredTokens } from './identity/expired-tokens.js';
import { FaultLog } from './process/fault-log.js';
import { SETTINGS, type Settings } from './process/settings.js';
import { Idempotency } from './push/idempotency.js';

const EVERY_MS = 5000;
const DEADLINE_MS = 60_000;
/** What another replica leaves behind is appended a second after its commit, and then within one interval. */
const RELAY_MS = 500;
/** PostgreSQL maintains itself. The embedded database would grow without upkeep, and plan queries without statistics. */
const UPKEEP_MS = 5 * 60_000;

/**
 * Periodic work: ends snoozes, removes expired tokens, prunes old rows, and appends what a replica left in the outbox. Every
 * replica checks; one does what is due.
 */
@Injectable()
export class Housekeeping implements OnApplicationBootstrap, OnModuleDestroy {
  readonly loops: readonly Loop[];
  readonly #faults = new FaultLog(Housekeeping.name);
  readonly #rounds = new Set<Promise<void>>();

  constructor(
    private readonly stacks: Stacks,
    private readonly pendingAmendments: PendingAmendments,
    private readonly expiredTokens: ExpiredTokens,
    private readonly outbox: Outbox,
    outboxRelay: OutboxRelay,
    private readonly idempotency: Idempotency,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(OPEN) { upkeep }: OpenDatabase,
  ) {
    this.loops = [
      this.#loop('housekeeping', EVERY_MS, () => this.#keepHouse()),
      ...(outbox.scope === 'everything' ? [this.#loop('outbox', RELAY_MS, () => outboxRelay.round())] : []),
      ...(upkeep === undefined
        ? []
        : [this.#loop('upkeep', UPKEEP_MS, () => this.#due('maintaining the database', upkeep))]),
    ];
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
  }

  /** Waits for the rounds that are running, because the database is closed afterwards. */
  async onModuleDestroy(): Promise<void> {
    for (const loop of this.loops) loop.stop();
    await Promise.all(this.#rounds);
  }

  #loop(name: string, intervalMs: number, work: () => Promise<void>): Loop {
    const onError = (error: unknown, doing: string): void => this.#faults.failure(error, doing);
    return new Loop({ name, intervalMs, deadlineMs: DEADLINE_MS, clock: systemClock, onError }, async () => {
      const round = work();
      this.#rounds.add(round);
      await round.finally(() => this.#rounds.delete(round));
    });
  }

  async #keepHouse(): Promise<void> {
    const now = new Date();
    const oldest = new Date(now.getTime() - this.settings.PUSH_CRITICAL_RETENTION_SECONDS * 1000);
    await this.#due('ending snoozes', () => this.stacks.endSnoozes(now));
    await this.#due('removing expired tokens', () => this.expiredTokens.remove(now));
    await this.#due('pruning old messages', () => this.outbox.prune(oldest));
    await this.#due('pruning pending amendments', () => this.pendingAmendments.prune(now));
    await this.#due('pruning old requests', () => this.idempotency.prune(now));
  }

  /** A failure is logged, and retried in the next round. A full disk is not logged here, since it has its own line. */
  async #due(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof DiskFull)) this.#faults.failure(error, doing);
    }
  }
}
