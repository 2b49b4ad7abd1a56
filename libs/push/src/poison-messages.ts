import type { LoggedFrame } from './frame.js';
import type { ConnectionId } from './lease.js';
import type { Cursor } from './log.js';

/** Every client can read this: the smallest buffer for a line or a message that we know of has 8 KiB, the next 64. */
const SMALL_BYTES = 4096;
/** How many streams of a client begin before the same large message. The next one begins behind it. */
const MOST_REPLAYS = 3;
/** Clients that are remembered. The one that came back the longest ago is dropped first. */
const REMEMBERED = 1000;
/** Messages that are looked at for the first one of the types that a client asked for. */
const LOOKED_AT = 1024;

/** Where a stream begins that brings a cursor. */
interface Beginning {
  readonly connectionId: ConnectionId;
  readonly tokenId: string;
  readonly cursor: Cursor;
  readonly types: ReadonlySet<string> | undefined;
}

/**
 * Finds messages that a client cannot read, by streams that begin before the same one again and again: a reader of lines
 * has a buffer, a WebSocket client a limit, and a link may break before a large message is through. Without this, the
 * client would come back with the same cursor for ever.
 */
export class PoisonMessages {
  readonly #last = new Map<string, { readonly connectionId: ConnectionId; readonly times: number }>();

  constructor(private readonly isOpen: (id: ConnectionId) => boolean) {}

  /**
   * Notes that a stream begins before these messages. Returns the message that its client has failed to read too often,
   * and should be led past; undefined: let it read.
   */
  begin({ connectionId, tokenId, cursor, types }: Beginning, messages: Iterable<LoggedFrame>) {
    const first = firstOf(messages, types);
    if (first === undefined || !isLarge(first)) return undefined;
    const key = JSON.stringify([tokenId, cursor]);
    const last = this.#last.get(key);
    // Several tabs with one token, which come back together, have not failed.
    if (last !== undefined && this.isOpen(last.connectionId)) return undefined;
    this.#last.delete(key);
    const times = (last?.times ?? 0) + 1;
    if (times > MOST_REPLAYS) return first;
    const [oldest] = this.#last.keys();
    if (this.#last.size >= REMEMBERED && oldest !== undefined) this.#last.delete(oldest);
    this.#last.set(key, { connectionId, times });
    return undefined;
  }
}

function firstOf(messages: Iterable<LoggedFrame>, types: ReadonlySet<string> | undefined) {
  let looks = LOOKED_AT;
  for (const message of messages) {
    if (types === undefined || types.has(message.record.type)) return message;
    looks -= 1;
    if (looks === 0) return undefined;
  }
  return undefined;
}

/** Fewer characters than bytes, so that most are not counted. */
const isLarge = ({ size, data }: LoggedFrame): boolean =>
  size > SMALL_BYTES || Buffer.byteLength(data) > SMALL_BYTES;
