import type { RedisNode } from './address.js';
import { RedisFault } from './fault.js';

const SLOTS = 16_384;
const POLYNOMIAL = 0x1021;

/** The slot of a key in a Cluster: that of its hash tag, if it has one. */
export function slotOf(key: string): number {
  const [, tag = ''] = /^[^{]*\{([^}]*)\}/.exec(key) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag === '' ? key : tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc & 0x8000 ? POLYNOMIAL : 0);
    crc &= 0xffff;
  }
  return crc % SLOTS;
}

/** Slots, and the master that has them. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly node: RedisNode;
  /** Of the node, as `MOVED` names it: `host:port`. */
  readonly address: string;
}

/** Reads the answer to `CLUSTER SLOTS` of the node at `asked`. @throws if it is no such answer */
export function readSlots(answer: unknown, asked: string): readonly SlotRange[] {
  const ranges = listOf(answer).map((range): SlotRange => {
    const [from, to, master] = listOf(range);
    const [named, port] = listOf(master);
    // A node that does not know its own address leaves it out.
    const host = typeof named === 'string' && named !== '' && named !== '?' ? named : asked;
    if (typeof from !== 'number' || typeof to !== 'number' || typeof port !== 'number') throw notSlots();
    return { from, to, node: { host, port }, address: `${host}:${port}` };
  });
  if (ranges.length === 0) throw new RedisFault('The Cluster has no slots yet.');
  return ranges;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw notSlots();
  return value;
}

const notSlots = () => new Error('The answer to CLUSTER SLOTS is not understood');
