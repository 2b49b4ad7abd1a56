import { catalog } from '@crossfade/protocol/catalog';
import { Admission, type ConnectRequest } from './admission.js';
import { Budgets } from './budgets.js';
import { CatchUp } from './catch-up.js';
import { Confirmation } from './confirmation.js';
import { Delivery } from './delivery.js';
import { Hub } from './hub.js';
import { KeepAlive } from './keep-alive.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import { MemoryMessageLog } from './memory/log.js';
import { resolveOptions, type PushOptions, type ResolvedPushOptions } from './options.js';
import type { Authentication, Authenticator, Principal } from './principal.js';
import { PushPublisher } from './publisher.js';
import { Reauthorization } from './reauthorization.js';
import { ScriptedTransport } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';
import { Turn } from './turn.js';

/** Accounts that a test changes by hand, and answers as slowly as it wants. */
class Accounts implements Authenticator {
  readonly organizations = new Set(['o']);
  isRevoked = false;
  /** What an answer waits for after it has been read. */
  gate: Promise<void> = Promise.resolve();
  asked = 0;

  async authenticate(credential: string): Promise<Authentication> {
    this.asked += 1;
    const read = this.#read(credential);
    await this.gate;
    return read === undefined
      ? { outcome: 'unauthorized', detail: 'unknown' }
      : { outcome: 'authenticated', principal: read };
  }

  async reauthorize(principals: readonly Principal[]): Promise<readonly (Principal | undefined)[]> {
    const read = principals.map(({ tokenId }) => this.#read(tokenId));
    await this.gate;
    return read;
  }

  #read(tokenId: string): Principal | undefined {
    return this.isRevoked
      ? undefined
      : { userId: tokenId === 'foreign' ? 'x' : 'u', tokenId, organizationIds: new Set(this.organizations) };
  }
}

export const request = (over: Partial<ConnectRequest> = {}): ConnectRequest => ({
  transport: 'sse',
  credential: 't',
  origin: undefined,
  host: 'push.example',
  address: '192.0.2.1',
  cursor: undefined,
  client: 'test/1',
  knowsResync: true,
  types: undefined,
  replaces: undefined,
  wantsStream: false,
  ...over,
});

/** Everything that admission works with, on a virtual clock. */
export async function make({
  limit = 2,
  enabled = true,
  ...more
}: Partial<PushOptions> & { limit?: number } = {}) {
  const accounts = new Accounts();
  const leases = new MemoryLeaseStore();
  const log = new MemoryMessageLog();
  const options = resolveOptions({
    authenticator: accounts,
    leases,
    log,
    enabled,
    maxConnectionsPerOwner: limit,
    allowedOrigins: ['https://app.example'],
    ...more,
  });
  const hub = new Hub();
  const clock = new VirtualClock();
  const advance = (milliseconds: number): void => clock.advance(milliseconds);
  const errors: string[] = [];
  const onError = (_error: unknown, doing: string) => errors.push(doing);
  const delivery = new Delivery(
    log,
    hub,
    accounts,
    clock,
    { window: windowLimits(options), portion: 32 },
    onError,
  );
  await delivery.start();
  const keepAlive = new KeepAlive(15, () => delivery.head, clock);
  const catchUp = new CatchUp();
  const budgets = new Budgets(options, clock);
  const admission = new Admission(options, {
    hub,
    delivery,
    keepAlive,
    catchUp,
    turn: new Turn(),
    budgets,
    clock,
    onError,
  });
  const publisher = new PushPublisher(log, catalog, clock, () => undefined);

  async function connect(over: Partial<ConnectRequest> = {}) {
    const gone = new AbortController();
    const admitted = await admission.admit(request(over), gone.signal);
    if (!('ticket' in admitted)) return { admitted, gone };
    const transport = new ScriptedTransport();
    const registered = await admission.register(admitted.ticket, transport, gone.signal);
    return { admitted, registered, transport, gone };
  }

  const reauthorization = new Reauthorization(hub, accounts, options.reauthorizeSeconds, clock, onError);
  const confirmation = new Confirmation(
    hub,
    options.unconfirmedSeconds,
    options.reauthorizeSeconds,
    clock,
    onError,
  );

  return {
    clock,
    options,
    budgets,
    delivery,
    reauthorization,
    confirmation,
    accounts,
    leases,
    hub,
    keepAlive,
    catchUp,
    admission,
    publisher,
    connect,
    errors,
    advance,
  };
}

export const windowLimits = (options: ResolvedPushOptions) => ({
  capacity: options.windowCapacity,
  criticalCapacity: options.criticalCapacity,
  criticalRetentionMs: options.criticalRetentionSeconds * 1000,
});
