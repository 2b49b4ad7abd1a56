import { withDeadline } from '../deadline.js';
import type { RedisNode } from './address.js';
import type { Client, ClientOptions } from './client.js';
import { askOnce, ASK_MS, firstAnswer, retryMs, SingleClient, type NodeOptions } from './client-node.js';
import { NotConnected } from './fault.js';
import { readSlots, slotOf, type SlotRange } from './slot.js';

/** Between two looks at who has which slot, while a node is not connected, milliseconds. */
const LOOK_MS = 300;

/** A client of all masters of a Cluster. It follows failovers and slots that move. */
export class ClusterClient implements Client {
  #ranges: readonly SlotRange[] = [];
  readonly #masters = new Map<string, SingleClient>();
  #isLooking = false;
  #isDestroyed = false;
  #wasReady = false;
  #cancelLook: (() => void) | undefined;

  constructor(
    private readonly settings: NodeOptions,
    private readonly options: ClientOptions,
  ) {}

  get isReady(): boolean {
    return this.#masters.size > 0 && [...this.#masters.values()].every(({ isReady }) => isReady);
  }

  isReadyFor(key: string): boolean {
    return this.#masterOf(key)?.isReady ?? false;
  }

  async send(key: string, args: string[]): Promise<unknown> {
    const master = this.#masterOf(key);
    if (master === undefined) throw new NotConnected();
    try {
      return await master.send(key, args);
    } catch (error) {
      const [, how, address = ''] = /^(MOVED|ASK) \d+ (\S+)/.exec(String((error as Error).message)) ?? [];
      if (how === undefined) throw error;
      // The server did not carry it out, and says who would.
      if (how === 'MOVED') void this.#look(0);
      const other = this.#masters.get(address);
      if (other?.isReady !== true) throw new NotConnected();
      if (how === 'ASK') other.send(key, ['ASKING']).catch(() => undefined);
      return other.send(key, args);
    }
  }

  connect(): void {
    void this.#look(0);
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#cancelLook?.();
    for (const master of this.#masters.values()) master.destroy();
    this.#masters.clear();
  }

  #masterOf(key: string): SingleClient | undefined {
    const slot = slotOf(key);
    const range = this.#ranges.find(({ from, to }) => from <= slot && slot <= to);
    return range && this.#masters.get(range.address);
  }

  /** Asks who has which slot, and connects to those. */
  async #look(retries: number): Promise<void> {
    if (this.#isLooking || this.#isDestroyed) return;
    this.#isLooking = true;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    try {
      this.#use(await this.#ask());
    } catch (error) {
      if (this.#isDestroyed) return;
      this.options.onError(error);
      this.#lookIn(retryMs(retries), retries + 1);
    } finally {
      this.#isLooking = false;
    }
    if (!this.#isDestroyed && !this.isReady) this.#lookIn(LOOK_MS, 0);
  }

  #lookIn(milliseconds: number, retries: number): void {
    this.#cancelLook ??= this.options.clock.after(milliseconds, () => void this.#look(retries));
  }

  /** Asks those who are connected, in any order, then those of the address. @throws what the last one failed with */
  async #ask(): Promise<readonly SlotRange[]> {
    const { address, clock } = this.options;
    const command = ['CLUSTER', 'SLOTS'];
    const connected = [...this.#masters].filter(([, { isReady }]) => isReady);
    connected.sort(() => Math.random() - 0.5);
    return firstAnswer([
      ...connected.map(([asked, master]) => async () => {
        const answer = withDeadline(clock, ASK_MS, 'a node of the Cluster', master.send('', command));
        return readSlots(await answer, asked.slice(0, asked.lastIndexOf(':')));
      }),
      ...address.nodes.map((node) => async () => {
        return readSlots(await askOnce(node, this.settings, clock, command), node.host);
      }),
    ]);
  }

  #use(ranges: readonly SlotRange[]): void {
    if (this.#isDestroyed) return;
    this.#ranges = ranges;
    for (const { address, node } of ranges) {
      if (!this.#masters.has(address)) this.#masters.set(address, this.#connectTo(node));
    }
    for (const [address, master] of this.#masters) {
      if (ranges.some((range) => range.address === address)) continue;
      this.#masters.delete(address);
      master.destroy();
    }
    this.#noteReady();
  }

  #connectTo(node: RedisNode): SingleClient {
    const master = new SingleClient(node, this.settings, {
      onReady: () => this.#noteReady(),
      onError: (error) => {
        if (this.#isDestroyed) return;
        this.#wasReady = false;
        this.options.onError(error);
        this.#lookIn(LOOK_MS, 0);
      },
    });
    master.connect();
    return master;
  }

  #noteReady(): void {
    if (this.#wasReady || !this.isReady) return;
    this.#wasReady = true;
    this.options.onReady();
  }
}
