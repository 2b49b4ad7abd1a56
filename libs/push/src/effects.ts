import { effect as effectSchema, user, type CloseReason, type Effect } from '@crossfade/protocol';
import { isAmong } from './audience.js';
import { tenthsOf } from './clock.js';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import type { LogRecord, Position } from './log.js';
import { Patience } from './patience.js';
import type { Principal, Reauthorize } from './principal.js';
import { revoke, revokeToken } from './revocation.js';
import type { Window } from './window.js';

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
  readonly #patience: Patience;

  constructor(
    private readonly hub: Hub,
    /** Undefined: nobody can be asked, and a membership is what its record says. */
    private readonly reauthorize: Reauthorize | undefined,
    private readonly environment: Environment,
  ) {
    this.#patience = new Patience(environment.clock, 'the authenticator');
  }

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
    // At once, whatever the authenticator says. Replicas may append two changes in another order than they were made in.
    if (change === 'removed') this.#leave(connections, organization_id);
    if (connections.length === 0) return;
    if (this.reauthorize !== undefined) return this.#confirmMembership(connections, this.reauthorize);
    if (change !== 'removed')
      for (const connection of connections) this.hub.join(connection, organization_id);
  }

  /**
   * Those that read on in the window do so while the log waits for the authenticator: they pass by what is for this
   * organization, and it may say that they belong to it after all.
   */
  #leave(connections: readonly Connection[], organizationId: string): void {
    for (const connection of connections) {
      const isMember = connection.organizationIds.has(organizationId);
      this.hub.leave(connection, organizationId);
      if (isMember && !connection.isLive) connection.refetchIfStillIn(organizationId);
    }
  }

  async #confirmMembership(connections: readonly Connection[], reauthorize: Reauthorize): Promise<void> {
    try {
      if (!this.#patience.isOver) return await this.#confirm(connections, reauthorize);
    } catch (error) {
      this.environment.onError(error, 'confirming a membership; the streams concerned must come back');
    }
    sendBack(connections, 'unconfirmed');
  }

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
    sendBack(connections, 'internal_error');
  }

  /**
   * Gives connections the organizations that the authenticator says they have now.
   * @throws what the authenticator throws, and DeadlineError
   */
  async #confirm(connections: readonly Connection[], reauthorize: Reauthorize): Promise<void> {
    const askedAt = tenthsOf(this.environment.clock);
    const asked = connections.map((connection) => connection.principal);
    const principals = await this.#patience.wait(() => reauthorize(asked));
    connections.forEach((connection, index) => {
      const principal = principals[index];
      if (principal === undefined) return revoke(connection);
      this.hub.grant(connection, principal.organizationIds);
      connection.confirm(askedAt);
    });
  }
}

/**
 * Ends streams that nobody can be asked about. Their next ones begin before this record, so that they miss nothing of an
 * organization that the authenticator then says they have.
 */
function sendBack(connections: readonly Connection[], reason: CloseReason): void {
  for (const connection of connections) {
    connection.suspend();
    connection.close(reason);
  }
}
