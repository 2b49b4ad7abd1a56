import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, secretOf, type NewInvitation } from '@crossfade/test-hosts';
import { AccountClient, type Transport } from './clients.ts';
import { insist } from './insist.ts';

const PASSWORD = 'plain otters juggle';
const BEGIN_MS = 60_000;
const TRANSPORTS: readonly Transport[] = ['SSE', 'WebSocket'];

/** A right that ends, and the clients of who had it. */
export interface Departure {
  /** `removed`: from the organization. `revoked`: the session was ended. */
  readonly kind: 'removed' | 'revoked';
  readonly userId: string;
  readonly clients: readonly AccountClient[];
  /** When the response said so, milliseconds since 1970. */
  goneAt: number;
}

interface Prepared extends Departure {
  readonly end: () => Promise<unknown>;
}

/** Members who leave: each time one is removed from the organization, and one's session is ended. */
export class Departures {
  readonly done: Departure[] = [];
  #next: Promise<readonly Prepared[]> = Promise.resolve([]);
  #number = 0;
  readonly #clients: AccountClient[] = [];
  #isStopped = false;

  constructor(
    private readonly url: string,
    private readonly admin: ApiClient,
    private readonly organization: string,
  ) {
    this.#prepare();
  }

  /** Resolves when those who leave next hear everything. */
  async ready(): Promise<void> {
    await this.#next;
  }

  /** Ends both rights, and resolves when the responses are there. */
  async take(): Promise<void> {
    const leaving = await this.#next;
    for (const departure of leaving) {
      await departure.end();
      departure.goneAt = Date.now();
      this.done.push(departure);
    }
    this.#prepare();
  }

  /** Ends all clients. Nobody leaves any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients.map((client) => client.stop()));
  }

  #prepare(): void {
    this.#next = Promise.all([this.#toBeRemoved(), this.#toBeRevoked()]);
    // Whoever waits for it gets the error.
    this.#next.catch(() => undefined);
  }

  async #toBeRemoved(): Promise<Prepared> {
    const email = `leaves-${(this.#number += 1)}@example.com`;
    const account = { email, password: PASSWORD, full_name: 'Lee Leaves' };
    const nobody = new ApiClient(this.url, undefined);
    await insist(() => nobody.call('POST', '/auth/signup', account), 409);
    const person = await this.#login(email, PASSWORD);
    const path = `/organizations/${this.organization}/users/${email}`;
    const invitation = await insist(() => this.admin.call('POST', path));
    const secret = secretOf((invitation as NewInvitation).link);
    await insist(() => person.call('POST', '/invitations/accept', { secret }), 404, 409);
    const { id } = (await insist(() => person.call('GET', '/users/me'))) as { id: string };
    return this.#prepared('removed', person, id, () => insist(() => this.admin.call('DELETE', path), 404));
  }

  async #toBeRevoked(): Promise<Prepared> {
    const person = await this.#login('member@crossfade.test', 'tester');
    const end = () => insist(() => person.call('POST', '/auth/logout'), 401);
    return this.#prepared('revoked', person, '', end);
  }

  async #login(email: string, password: string): Promise<ApiClient> {
    const nobody = new ApiClient(this.url, undefined);
    const session = await insist(() => nobody.call('POST', '/auth/login', { email, password }));
    return new ApiClient(this.url, (session as { token: string }).token);
  }

  async #prepared(
    kind: Departure['kind'],
    { token = '' }: ApiClient,
    userId: string,
    end: Prepared['end'],
  ): Promise<Prepared> {
    const clients = TRANSPORTS.map((one) => new AccountClient(this.url, token, one, true));
    this.#clients.push(...clients);
    if (!this.#isStopped) for (const client of clients) client.start();
    const hears = ({ heard }: AccountClient): boolean => heard.some(({ type }) => type === 'StackChanged');
    await eventually('who leaves hears', () => clients.every(hears) || undefined, BEGIN_MS);
    return { kind, userId, clients, end, goneAt: Infinity };
  }
}
