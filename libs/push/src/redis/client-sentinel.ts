import { withDeadline } from '../deadline.js';
import { hostsOf, type RedisNode } from './address.js';
import type { Client, ClientOptions } from './client.js';
import {
  askOnce,
  destroy,
  firstAnswer,
  nodeClient,
  retryMs,
  type NodeClient,
  type NodeOptions,
} from './client-node.js';
import { RedisFault } from './fault.js';

/** How long the master may take to let us in, milliseconds. */
const CONNECT_MS = 3000;

/** The client of the master that Sentinels name. They are asked again for each connection. */
export class SentinelClient implements Client {
  #master: NodeClient | undefined;
  #isReady = false;
  #isDestroyed = false;
  #cancelRetry: () => void = () => undefined;

  constructor(
    private readonly settings: NodeOptions,
    private readonly options: ClientOptions,
  ) {}

  get isReady(): boolean {
    return this.#isReady;
  }

  isReadyFor(): boolean {
    return this.#isReady;
  }

  send(_key: string, args: string[]): Promise<unknown> {
    return this.#master?.sendCommand(args) ?? Promise.reject(new Error('no master is connected'));
  }

  connect(): void {
    void this.#connect(0);
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#cancelRetry();
    this.#drop();
  }

  async #connect(retries: number): Promise<void> {
    try {
      const node = await this.#findMaster();
      if (this.#isDestroyed) return;
      const master = nodeClient(node, this.settings, false);
      this.#master = master;
      master.on('error', (error: unknown) => {
        // Before it is ready, `connect` fails with the same error.
        if (this.#isReady && master === this.#master) this.#retry(error, 0);
      });
      await withDeadline(this.options.clock, CONNECT_MS, 'The master', this.#enter(master));
      this.#isReady = true;
      this.options.onReady();
    } catch (error) {
      this.#retry(error, retries);
    }
  }

  async #enter(master: NodeClient): Promise<void> {
    await master.connect();
    // Sentinels that do not know of a failover yet name the old master.
    if (/^role:slave/m.test(String(await master.sendCommand(['INFO', 'replication'])))) {
      throw new Error('The Sentinels named a server that is a replica');
    }
  }

  #retry(error: unknown, retries: number): void {
    this.#drop();
    if (this.#isDestroyed) return;
    this.options.onError(error);
    this.#cancelRetry = this.options.clock.after(retryMs(retries), () => void this.#connect(retries + 1));
  }

  #drop(): void {
    this.#isReady = false;
    if (this.#master !== undefined) destroy(this.#master);
    this.#master = undefined;
  }

  #findMaster(): Promise<RedisNode> {
    return firstAnswer(this.options.address.nodes.map((sentinel) => () => this.#ask(sentinel)));
  }

  async #ask(sentinel: RedisNode): Promise<RedisNode> {
    const { address, clock } = this.options;
    const { master = '' } = address;
    const command = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master];
    const known = { ...this.settings, database: 0 } as const;
    const { username: _user, password: _password, ...anonymous } = known;
    const answer = await askOnce(sentinel, anonymous, clock, command).catch((error: unknown) => {
      // Most Sentinels want no password. One that does gets that of Redis.
      if (!(error instanceof Error && error.message.startsWith('NOAUTH'))) throw error;
      return askOnce(sentinel, known, clock, command);
    });
    if (!Array.isArray(answer)) {
      throw new RedisFault(`The Sentinels at ${hostsOf(address)} know no master with the name ${master}.`);
    }
    return { host: String(answer[0]), port: Number(answer[1]) };
  }
}
