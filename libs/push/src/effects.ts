import { effect as effectSchema, user, type Effect } from '@crossfade/protocol';
import { isAmong } from './audience.js';
import { tenthsOf } from './clock.js';
import type { Connection } from './connection.js';
import { withDeadline } from './deadline.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import type { LogRecord, Position } from './log.js';
import type { Principal, Reauthorize } from './principal.js';
import { revoke, revokeToken } from './revocation.js';
import type { Window } from './window.js';

/** How long a membership waits for the authenticator. Everything behind it in the log waits as well. */
const CONFIRM_MS = 2000;
/**
 * After the authenticator did not answer, no membership waits for so long. Otherwise each of them would hold the log up,
 * one after the other.
 */
const PAUSE_MS = 10_000;

/** What a record changes about connections. `unknown`: a newer replica stamped it. */
type ReadEffect = Effect | { readonly kind: 'unknown' };

/** Reads the effect that the publisher stamped on a record; undefined: it has none. */
export function effectOf({ effect }: LogRecord): ReadEffect | undefined {
  if (effect === undefined) return undefined;
  const known = effectSchema.safeParse(effect);
  return known.success ? known.data : { kind: 'unknown' };
}

/** Whether a record changes what this principal may see or do. */
export function concerns(record: LogRecord, principal: Principal): boolean {
  const effect = effectOf(record);
  switch (effect?.kind) {
    case undefined:
      return false;
    case 'membership':
      return effect.user_id === principal.userId;
    case 'revocation':
      return effect.token_id === principal.tokenId;
    case 'unknown':
      // It may be about an organization that the principal has not joined yet, so any organization counts.
      return record.audience.some((one) => one.kind !== 'user' || isAmong([one], principal));
  }
}

/** Whether a principal that was read when the log stood at `position` is still current: no effect since concerns it. */
export function isCurrent(principal: Principal, { offset }: Position, window: Window): boolean {
  const since = window.effectsSince(offset);
  return since !== undefined && !since.some((record) => concerns(record, principal));
}

/** Applies what records change about open connections: who joins, who leaves, who is revoked. */
export class Effects {
  /** When the authenticator last did not answer. */
  #unansweredAt = -Infinity;

  constructor(
    private readonly hub: Hub,
    /** Undefined: nobody can be asked, and a membership is what its record says. */
    private readonly reauthorize: Reauthorize | undefined,
    private readonly environment: Environment,
  ) {}

  /** Applies a record's effect. If it returns a promise, the record must not be handed over before that resolves. */
  apply(record: LogRecord): void | Promise<void> {
    const effect = effectOf(record);
    switch (effect?.kind) {
      case undefined:
        return;
      case 'revocation':
        return revokeToken(effect.token_id, this.hub, this.environment);
      case 'membership':
        return this.#applyMembership(effect);
      case 'unknown':
        return this.#applyUnknown([...this.hub.of(record.audience)]);
    }
  }

  #applyMembership({
    change,
    user_id,
    organization_id,
  }: Extract<Effect, { kind: 'membership' }>): void | Promise<void> {
    const connections = [...this.hub.of([user(user_id)])];
    for (const connection of connections) connection.revision += 1;
    if (change === 'removed') {
      for (const connection of connections) this.hub.leave(connection, organization_id);
      return;
    }
    if (connections.length === 0) return;
    if (this.reauthorize !== undefined) return this.#confirmMembership(connections, this.reauthorize);
    for (const connection of connections) this.hub.join(connection, organization_id);
  }

  async #confirmMembership(connections: readonly Connection[], reauthorize: Reauthorize): Promise<void> {
    const isPaused = this.environment.clock.elapsed() - this.#unansweredAt < PAUSE_MS;
    try {
      if (!isPaused) return await this.#confirm(connections, reauthorize);
    } catch (error) {
      this.environment.onError(error, 'confirming a membership; the next reauthorization grants it');
    }
    // Nothing is granted, so nobody hears what is not for them. Once it is granted, their clients refetch.
    for (const connection of connections) connection.refetchWhenConfirmed();
  }

  /** Connections that nobody can be asked about must come back, so that the authenticator is asked anew. */
  async #applyUnknown(connections: readonly Connection[]): Promise<void> {
    if (connections.length === 0) return;
    for (const connection of connections) connection.revision += 1;
    try {
      if (this.reauthorize !== undefined) return await this.#confirm(connections, this.reauthorize);
    } catch (error) {
      this.environment.onError(
        error,
        'asking about an unknown effect; the connections concerned must come back',
      );
    }
    for (const connection of connections) {
      connection.suspend();
      connection.close('internal_error');
    }
  }

  /**
   * Gives connections the organizations that the authenticator says they have now.
   * @throws what the authenticator throws, and DeadlineError
   */
  async #confirm(connections: readonly Connection[], reauthorize: Reauthorize): Promise<void> {
    const { clock } = this.environment;
    const askedAt = tenthsOf(clock);
    try {
      const asked = reauthorize(connections.map((connection) => connection.principal));
      const principals = await withDeadline(clock, CONFIRM_MS, 'the authenticator', asked);
      connections.forEach((connection, index) => {
        const principal = principals[index];
        if (principal === undefined) return revoke(connection);
        this.hub.grant(connection, principal.organizationIds);
        connection.confirm(askedAt);
      });
    } catch (error) {
      this.#unansweredAt = clock.elapsed();
      throw error;
    }
  }
}
