import { catalog } from '@crossfade/protocol/catalog';
import type { ConnectRequest } from './connect-request.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import type { PushOptions } from './options.js';
import type { Authentication, Authenticator, Principal } from './principal.js';
import { createPush } from './push.js';
import { ScriptedTransport } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

/** Accounts that a test changes by hand, and answers as slowly as it wants. */
class Accounts implements Authenticator {
  readonly organizations = new Set(['o']);
  isRevoked = false;
  /** What an answer waits for after it has been read. */
  gate: Promise<void> = Promise.resolve();
  asked = 0;
  /** Hears who is asked about again; what it throws is the answer. */
  onReauthorize: (principals: readonly Principal[]) => void = () => undefined;

  async authenticate(credential: string): Promise<Authentication> {
    this.asked += 1;
    const read = this.#read(credential);
    await this.gate;
    return read === undefined
      ? { outcome: 'unauthorized', detail: 'unknown' }
      : { outcome: 'authenticated', principal: read };
  }

  async reauthorize(principals: readonly Principal[]): Promise<readonly (Principal | undefined)[]> {
    this.onReauthorize(principals);
    const read = principals.map(({ tokenId }) => this.#read(tokenId));
    await this.gate;
    return read;
  }

  #read(tokenId: string): Principal | undefined {
    if (this.isRevoked) return undefined;
    // A token may say whose it is.
    const [, owner] = /^of (\w+)$/.exec(tokenId) ?? [];
    const userId = owner ?? (tokenId === 'foreign' ? 'x' : 'u');
    return { userId, tokenId, organizationIds: new Set(this.organizations) };
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

/** The library as production wires it, on a virtual clock, without its loops. */
export async function make({
  limit = 2,
  ...more
}: Partial<Omit<PushOptions, 'leases'>> & { limit?: number; leases?: MemoryLeaseStore } = {}) {
  const accounts = new Accounts();
  const leases = more.leases ?? new MemoryLeaseStore();
  const clock = new VirtualClock();
  const errors: string[] = [];
  const push = createPush({
    catalog,
    authenticator: accounts,
    clock,
    maxConnectionsPerOwner: limit,
    allowedOrigins: ['https://app.example'],
    logger: {
      log: () => undefined,
      warn: () => undefined,
      error: (line) => errors.push(/^While ([^:]+):/.exec(line)?.[1] ?? line),
    },
    ...more,
    leases,
  });
  const { parts, publisher } = push;
  const { admission, streams } = parts;
  await parts.delivery.start();

  async function connect(over: Partial<ConnectRequest> = {}) {
    const gone = new AbortController();
    const admitted = await admission.admit(request(over), gone.signal);
    if (admitted.outcome !== 'admitted') return { admitted, gone };
    const transport = new ScriptedTransport();
    const opened = await streams.open(admitted, transport, gone.signal);
    return { admitted, opened, transport, gone };
  }

  return {
    ...parts,
    push,
    publisher,
    clock,
    accounts,
    leases,
    connect,
    errors,
    advance: (milliseconds: number): void => clock.advance(milliseconds),
  };
}
