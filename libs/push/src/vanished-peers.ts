import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import { Loop } from './loop.js';

/** How often it looks in one stall time. */
const LOOKS = 3;
/** What reading the kernel's table may take. */
const READ_MS = 5000;
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

/**
 * Closes streams whose peer vanished without closing: the kernel holds bytes for the socket, and the peer acknowledged
 * none of them for the stall time. The kernel itself would try for a quarter of an hour. A quiet stream has such bytes
 * after its next keep-alive, so the bound is the keep-alive interval, the stall time and one look.
 * Only Linux has the table that this reads. Elsewhere the kernel's own bound holds.
 */
export class VanishedPeers {
  /** Since when a connection has had unacknowledged bytes, and how many were acknowledged by then. */
  readonly #waiting = new WeakMap<Connection, { acknowledged: number; since: number }>();
  readonly loop: Loop;

  constructor(
    private readonly hub: Hub,
    private readonly stallSeconds: number,
    private readonly environment: Environment,
    private readonly read: () => Promise<ReadonlyMap<string, number> | undefined> = unacknowledged,
  ) {
    const { clock, onError } = environment;
    const intervalMs = (stallSeconds * 1000) / LOOKS;
    this.loop = new Loop({ name: 'peers', intervalMs, deadlineMs: READ_MS, clock, onError }, async () => {
      if (!(await this.look())) this.loop.stop();
    });
  }

  /** Looks once; false: this system has no such table. */
  async look(): Promise<boolean> {
    if (this.hub.size === 0) return true;
    const table = await this.read();
    if (table === undefined) return false;
    const now = this.environment.clock.elapsed();
    for (const connection of [...this.hub.all()]) {
      const { socket } = connection.transport;
      const outstanding = socket === null ? undefined : table.get(keyOf(socket));
      if (socket === null || outstanding === undefined) {
        this.#waiting.delete(connection);
        continue;
      }
      const acknowledged = socket.bytesWritten - socket.writableLength - outstanding;
      const before = this.#waiting.get(connection);
      if (before === undefined || acknowledged > before.acknowledged) {
        this.#waiting.set(connection, { acknowledged, since: now });
      } else if (now - before.since >= this.stallSeconds * 1000) {
        connection.close('slow');
      }
    }
    return true;
  }
}

/** Bytes sent and not acknowledged, of every socket that has some, by its addresses as the kernel writes them. */
async function unacknowledged(): Promise<ReadonlyMap<string, number> | undefined> {
  const found = new Map<string, number>();
  for (const table of TABLES) {
    let text;
    try {
      text = await readFile(table, 'latin1');
    } catch {
      // A kernel without IPv6 lacks the second one; any other system lacks both.
      if (table === TABLES[0]) return undefined;
      continue;
    }
    // "  sl: local remote st tx_queue:rx_queue …"
    for (const [, local, remote, bytes] of text.matchAll(
      /^ *\d+: ([0-9A-F:]+) ([0-9A-F:]+) [0-9A-F]{2} (?!00000000)([0-9A-F]{8}):/gm,
    )) {
      found.set(`${local} ${remote}`, Number.parseInt(bytes ?? '0', 16));
    }
  }
  return found;
}

const keys = new WeakMap<Socket, string>();

function keyOf(socket: Socket): string {
  let key = keys.get(socket);
  if (key === undefined) {
    key = `${endpoint(socket.localAddress, socket.localPort)} ${endpoint(socket.remoteAddress, socket.remotePort)}`;
    keys.set(socket, key);
  }
  return key;
}

/** An address and port as the kernel's table has them: words of four bytes in the machine's order. */
export function endpoint(address = '', port = 0): string {
  const bytes = address.includes(':') ? bytesOfIPv6(address) : address.split('.').map(Number);
  const words = bytes.flatMap((_, index) =>
    index % 4 === 0 ? [bytes.slice(index, index + 4).reverse()] : [],
  );
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
  return `${words
    .flat()
    .map((byte) => hex(byte, 2))
    .join('')}:${hex(port, 4)}`;
}

function bytesOfIPv6(address: string): number[] {
  const [plain = ''] = address.split('%');
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const hexadecimal =
    v4 === null
      ? plain
      : `${v4[1]}${((Number(v4[2]) << 8) | Number(v4[3])).toString(16)}:${((Number(v4[4]) << 8) | Number(v4[5])).toString(16)}`;
  const [before = '', after] = hexadecimal.split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const first = groups(before);
  const last = after === undefined ? [] : groups(after);
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return all.flatMap((group) => [group >> 8, group & 255]);
}
