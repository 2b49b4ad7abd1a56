import { closeTable, type CloseReason, type ControlMessageOf, type ControlType } from '@crossfade/protocol';
import { Frame } from './frame.js';
import type { ConnectionId } from './lease.js';
import type { Clock } from './clock.js';
import type { Cursor } from './log.js';
import type { Principal } from './principal.js';
import { WriteQueue } from './write-queue.js';

/** One open socket of either kind. Encodes and writes; knows no word of the domain. */
export interface Transport {
  readonly name: 'sse' | 'websocket';
  /** Whether the socket takes bytes now. While it does not, nothing is written; `drained` says when it does again. */
  readonly writable: boolean;
  /** Hands frames to the socket in one write. */
  write(frames: readonly Frame[]): void;
  /** A sign of life, with the log's head for a stream that has caught up. */
  writeKeepAlive(head: Cursor | undefined): void;
  /** Ends the stream in order, after what was written. */
  end(reason: CloseReason): void;
  /** Ends it at once. */
  destroy(): void;
  /** Called by whoever owns the connection, once. */
  listen(events: { drained(): void; closed(): void }): void;
}

/** `open` until something ends it; `closing` has said goodbye and waits for the socket; `closed` is over. */
type State = 'open' | 'closing' | 'closed';

/** After the goodbye, a socket has this long to take it. */
const GOODBYE_MS = 1000;

export interface ConnectionInit {
  readonly id: ConnectionId;
  readonly principal: Principal;
  readonly transport: Transport;
  /** Which app and build, as the client says; for operators. */
  readonly client: string;
  /** Only these types, or all. Control messages always come. */
  readonly types: ReadonlySet<string> | undefined;
  readonly position: Cursor;
  readonly capacity: number;
  readonly clock: Clock;
  /** Called once, before anything else of the end: leave the hub, give the lease back. */
  readonly onClose: (connection: Connection) => void;
}

/** One open stream of one principal, SSE or WebSocket. */
export class Connection {
  readonly id: ConnectionId;
  readonly transport: Transport;
  readonly client: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** The organizations whose messages it gets; the hub changes it. */
  readonly organizationIds: Set<string>;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #queue: WriteQueue<Frame>;
  readonly #clock: Clock;
  readonly #onClose: (connection: Connection) => void;
  readonly #principal: Principal;
  #state: State = 'open';
  #flushScheduled = false;
  #position: Cursor;

  constructor(init: ConnectionInit) {
    this.id = init.id;
    this.transport = init.transport;
    this.client = init.client;
    this.organizationIds = new Set(init.principal.organizationIds);
    this.#principal = init.principal;
    this.#types = init.types;
    this.#position = init.position;
    this.#queue = new WriteQueue(init.capacity);
    this.#clock = init.clock;
    this.openedAt = init.clock.now();
    this.#onClose = init.onClose;
    this.transport.listen({ drained: () => this.#flush(), closed: () => this.#closed() });
  }

  get principal(): Principal {
    return { ...this.#principal, organizationIds: this.organizationIds };
  }

  /** The cursor that the stream was last handed. */
  get position(): Cursor {
    return this.#position;
  }

  /** Hands a logged message to the stream. What arrives in one turn of the event loop goes out in one write. */
  offer(frame: Frame): void {
    if (this.#types !== undefined && !this.#types.has(frame.envelope.type)) return;
    this.#enqueue(frame);
  }

  /** Says something about the stream itself. */
  say<Type extends ControlType>(type: Type, message: ControlMessageOf<Type>): void {
    this.#enqueue(Frame.control(this.#position, type, message));
  }

  /** A sign of life; `head` is the log's, and moves a stream on that has nothing waiting. */
  keepAlive(head: Cursor): void {
    if (this.#state !== 'open' || !this.transport.writable || this.#queue.size > 0) return;
    this.#position = head;
    this.transport.writeKeepAlive(head);
  }

  /**
   * The one way out, whatever ends the stream. Safe to call twice. `farewell` is the message that the close table
   * names for the reason; it is said only if the socket takes it, and the socket is destroyed a second later.
   */
  close(reason: CloseReason, farewell?: ControlMessageOf<'Revoked' | 'Reconnect'>): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#onClose(this);
    const type = closeTable[reason].farewell;
    if (this.transport.writable) {
      const last = this.#queue.take();
      this.#position = last.at(-1)?.id ?? this.#position;
      const goodbye =
        type === undefined || farewell === undefined
          ? []
          : [new Frame(this.#position, { type, message: farewell }, undefined)];
      if (last.length + goodbye.length > 0) this.transport.write([...last, ...goodbye]);
    }
    this.transport.end(reason);
    this.#clock.after(GOODBYE_MS, () => {
      if (this.#state === 'closing') this.transport.destroy();
    });
  }

  #enqueue(frame: Frame): void {
    if (this.#state !== 'open') return;
    if (this.#queue.offer(frame) === 'full') {
      if (!this.transport.writable) return this.close('slow');
      this.#flush();
      this.#queue.offer(frame);
    }
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'open' || this.#queue.size === 0 || !this.transport.writable) return;
    const frames = this.#queue.take();
    this.#position = frames.at(-1)?.id ?? this.#position;
    this.transport.write(frames);
  }

  #closed(): void {
    if (this.#state === 'open') this.#onClose(this);
    this.#state = 'closed';
  }
}
