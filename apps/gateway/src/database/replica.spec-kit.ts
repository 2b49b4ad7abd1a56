import type { catalog } from '@crossfade/protocol/catalog';
import {
  createPush,
  MemoryMessageLog,
  type Cursor,
  type LogRecord,
  type MessageLog,
  type Position,
  type PushPublisher,
  type StampedMessage,
} from '@crossfade/push';
import { catalog as own } from '@crossfade/protocol/catalog';
import { VirtualClock } from '@crossfade/push/testing';
import type { Database, OpenDatabase } from './database.js';
import { OutboxRelay } from './outbox-relay.js';
import { Outbox } from './outbox.js';
import { Transactions } from './transactions.js';

/** A log that replicas share: it drops a message whose record ids it all has, and answers with the position it gave it. */
export class SharedLog {
  readonly records: LogRecord[] = [];
  readonly #log = new MemoryMessageLog();
  readonly #positions = new Map<string, Position>();
  isAway = false;

  constructor() {
    this.#log.follow({ record: (record) => void this.records.push(record), hole: () => undefined });
  }

  async append(message: StampedMessage): Promise<Position> {
    if (this.isAway) throw new Error('the log is away');
    const { recordIds = [] } = message;
    const [known] = recordIds.map((id) => this.#positions.get(id));
    if (known !== undefined && recordIds.every((id) => this.#positions.has(id))) return known;
    const cursor = await this.#log.append(message);
    const offset = this.#log.locate(cursor);
    if (typeof offset !== 'bigint') throw new Error('a cursor of its own');
    const position = { cursor, offset };
    for (const id of recordIds) this.#positions.set(id, position);
    return position;
  }

  /** Record ids of all records. */
  get ids(): string[] {
    return this.records.flatMap(({ recordIds = [] }) => recordIds);
  }
}

/**
 * What happens at one of a replica's appends: it is killed before the message reaches the log, or before its row is removed;
 * or it lives, and the log refuses this one message, or takes it and the answer is lost.
 */
export interface Fault {
  readonly appends: number;
  readonly what: 'killed before the append' | 'killed before the removal' | 'refused' | 'unanswered';
}

/** What a gateway does with its outbox, on a log that it shares with others. */
export class Replica {
  readonly outbox: Outbox;
  readonly relay: OutboxRelay;
  readonly transactions: Transactions;
  readonly publisher: PushPublisher<typeof catalog>;
  readonly clock = new VirtualClock();
  isDead = false;
  /** Its connection to the log hangs. */
  isCutOff = false;
  #fault: Fault | undefined;
  /** The last append of this turn of the event loop. */
  #turn: Promise<unknown> | undefined;

  /** `locks`: whether its relay waits for others to end. */
  constructor(
    open: OpenDatabase,
    private readonly log: SharedLog,
    { locks = true } = {},
  ) {
    const database = this.#mortal(open.database);
    const authentication = this.#mortal(open.authentication);
    this.outbox = new (locks ? Outbox : UnlockedOutbox)(database, authentication, 'everything');
    const unused = (): never => {
      throw new Error('no stream is opened');
    };
    this.publisher = createPush({
      catalog: own,
      authenticator: { authenticate: unused },
      log: this.#ownLog(),
      clock: this.clock,
      logger: { log: () => undefined, warn: () => undefined, error: () => undefined },
    }).publisher;
    this.relay = new OutboxRelay(this.outbox, this.publisher);
    this.transactions = new Transactions(database, this.publisher, this.outbox);
  }

  /** Once, at that append from now. Undefined: never. */
  meets(fault: Fault | undefined): void {
    this.#fault = fault;
  }

  /** What waits for the end of an interval is appended, and what is in the log is removed. */
  async settle(): Promise<void> {
    await this.clock.advanceAsync(1000);
    await this.clock.advanceAsync(0);
    await this.outbox.close();
  }

  #ownLog(): MessageLog {
    const unused = (): never => {
      throw new Error('nobody reads it');
    };
    return {
      append: (message) => this.#appendBehind(message),
      open: unused,
      locate: unused,
      newest: unused,
      follow: unused,
      lag: { records: 0, seconds: 0 },
      close: unused,
    };
  }

  /** None behind one that fails, as every log has it. */
  async #appendBehind(message: StampedMessage): Promise<Cursor> {
    if (this.#turn === undefined) setImmediate(() => (this.#turn = undefined));
    const appended = (this.#turn ?? Promise.resolve()).then(() => this.#append(message));
    this.#turn = appended;
    return appended;
  }

  async #append(message: StampedMessage): Promise<Cursor> {
    if (this.isCutOff) return new Promise(() => undefined);
    const what = this.#faultNow();
    if (what === 'killed before the append') this.isDead = true;
    this.#live();
    if (what === 'refused') throw new Error('refused');
    const position = await this.log.append(message);
    if (what === 'unanswered') throw new Error('no answer');
    if (what === 'killed before the removal') this.isDead = true;
    this.#live();
    const { recordIds = [] } = message;
    if (message.delivery === 'critical')
      for (const id of recordIds) await this.outbox.recordPosition(id, position);
    else await this.outbox.remove(recordIds);
    return position.cursor;
  }

  #faultNow(): Fault['what'] | undefined {
    if (this.#fault === undefined) return undefined;
    const { appends, what } = this.#fault;
    this.#fault = appends > 1 ? { appends: appends - 1, what } : undefined;
    return appends > 1 ? undefined : what;
  }

  #live(): void {
    if (this.isDead) throw new Error('the replica is dead');
  }

  /** A dead replica begins no query. */
  #mortal(database: Database): Database {
    return new Proxy(database, {
      get: (target, name, receiver) => {
        this.#live();
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
  }
}

/** As if its lock were lost: the connection that holds it was cut. */
class UnlockedOutbox extends Outbox {
  override asOnlyRelay(work: Parameters<Outbox['asOnlyRelay']>[0]): Promise<void> {
    return work((this as unknown as { database: Database }).database);
  }
}
