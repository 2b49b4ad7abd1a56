import { ChangeType, catalog } from '@crossfade/protocol/catalog';
import { LoggedFrame, PositionFrame } from './frame.js';
import type { LeaseStore } from './lease.js';
import type { Cursor, LogRecord, MessageLog, StampedMessage } from './log.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import type { Authentication, Authenticator, Principal } from './principal.js';
import type { Publishable } from './publisher.js';
import { createPush, type Push } from './push.js';
import { envelopeOf, ScriptedTransport, settled } from './scripted.spec-kit.js';
import { CLIENTS, ORGANIZATIONS, USERS, type Step, type User } from './streams.steps.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

/*
 * A plain model of streams: what was published, in order; who belonged to what, and when; what each client got. It knows
 * nothing of windows, queues, merging or turns.
 *
 * Half of the clients are old: a `Resync` means nothing to them, and they fetch whenever they have connected again.
 */

const UNCONFIRMED_SECONDS = 120;
/** Between two looks for those whose time is over. */
const LOOK_MS = 1000;
/** What may be reported while nobody answers. */
const EXPECTED: ReadonlySet<string> = new Set([
  'admitting a stream',
  'reading a principal again',
  'running reauthorization',
  'confirming a membership; the streams concerned must come back',
]);
/** What some clients cannot read. */
const LARGE = 'x'.repeat(5000);
export const LIMITS = { windowCapacity: 16, criticalCapacity: 6, writeQueueCapacity: 3 };

/** Where a record is in the order of all that was ever published, whatever became of its log. */
export type Order = bigint;

/** A message that was published: where it came to stand, and when. */
export interface Published {
  readonly record: StampedMessage & { readonly cursor: Cursor };
  readonly order: Order;
  readonly tick: number;
}

/** A socket that stops taking bytes after some writes, and notes when it wrote. */
class LimitedTransport extends ScriptedTransport {
  left = Infinity;
  constructor(private readonly onWrite: (frame: ScriptedTransport['written'][number][number]) => void) {
    super();
  }
  override write(frames: Parameters<ScriptedTransport['write']>[0]): void {
    super.write(frames);
    for (const frame of frames) this.onWrite(frame);
    this.left -= 1;
    if (this.left <= 0) this.writable = false;
  }
}

export interface Client {
  readonly user: User;
  readonly isOld: boolean;
  readonly token: string;
  transport: LimitedTransport | undefined;
  gone: AbortController;
  /** The replica that its stream is with, as it was started then, and the stream's connection. */
  on: number;
  push: Push | undefined;
  connectionId: string | undefined;
  /** The last id that it has read, and one that it had before. */
  last: string | undefined;
  older: string | undefined;
  /** From where on it must hear of everything: its first fresh stream. */
  since: Order | undefined;
  heard: { record: LogRecord; order: Order; id: Cursor; tick: number }[];
  /** Up to where it was told to refetch everything, and whether it was told that critical messages are missing. */
  refetched: Order;
  isTruncated: boolean;
  /** A Resync whose end is not known yet. */
  isResyncing: boolean;
}

/** What happened, to tell whether histories have proved anything. */
export interface Tally {
  published: number;
  resyncs: number;
  unconfirmed: number;
  /** Ends of old clients' streams where others get `Resync`. */
  stale: number;
  /** Messages that somebody could not read, and was led past. */
  tooLarge: number;
  /** Streams that resumed on another replica than the one before, or on the same after it was started again. */
  moved: number;
  restarted: number;
}

export const emptyTally = (): Tally => ({
  published: 0,
  resyncs: 0,
  unconfirmed: 0,
  stale: 0,
  tooLarge: 0,
  moved: 0,
  restarted: 0,
});

/** What makes two records of one message known as such. */
export const nameOf = ({ recordIds, cursor }: Pick<LogRecord, 'recordIds' | 'cursor'>): string =>
  recordIds?.[0] ?? cursor;

export abstract class World implements Authenticator {
  readonly clock = new VirtualClock();
  readonly errors: string[] = [];
  readonly leases = new MemoryLeaseStore();
  readonly tally = emptyTally();
  /** Messages that are being appended. */
  protected readonly sending = new Set<Promise<void>>();
  /** Whether the authenticator cannot be asked, and when it was last asked about a token and answered. */
  protected isOut = false;
  readonly #confirmed = new Map<string, number>();
  readonly clients: Client[] = Array.from({ length: CLIENTS }, (_, index) => ({
    user: USERS[index % USERS.length] ?? 'ann',
    isOld: index >= CLIENTS / 2,
    token: `t${index}`,
    transport: undefined,
    gone: new AbortController(),
    on: 0,
    push: undefined,
    connectionId: undefined,
    last: undefined,
    older: undefined,
    since: undefined,
    heard: [],
    refetched: -1n,
    isTruncated: false,
    isResyncing: false,
  }));

  /** By name. */
  readonly published = new Map<string, Published>();
  readonly revoked = new Set<string>();
  /** When each user was in `moving`: from a tick, to a tick. `joined`: where the record of it stands. */
  readonly stays = new Map<string, { from: number; to: number; joined?: Order }[]>(
    USERS.map((user) => [user, [{ from: 0, to: Infinity }]]),
  );
  protected tick = 0;

  /** The replicas, as they run now. */
  abstract readonly replicas: readonly Push<typeof catalog>[];
  abstract start(): Promise<void>;
  /** Whether a client may miss a critical message. */
  abstract mayMiss(who: Client, record: StampedMessage): boolean;
  /** Where a cursor stands, or undefined if it is none. */
  protected abstract orderOf(cursor: Cursor): Order | undefined;
  /** Records a message with its change, if anybody does. Returns its record id. */
  protected record(_message: StampedMessage | undefined): string | undefined {
    return undefined;
  }

  protected replica(index: number): Push<typeof catalog> {
    const found = this.replicas[index];
    if (found === undefined) throw new Error('no such replica');
    return found;
  }

  /** What the model starts of a replica: it ticks keep-alives by hand, and no peer vanishes. */
  protected async startOf({ parts }: Push): Promise<void> {
    await parts.delivery.start();
    for (const { loop } of [parts.reauthorization, parts.suspension]) loop.start();
  }

  /** The library as production wires it. */
  protected make(log: MessageLog | undefined, limits = LIMITS): Push<typeof catalog> {
    const leases: LeaseStore = {
      start: (holders) => this.leases.start(holders),
      acquire: (...asked) => this.leases.acquire(...asked),
      release: (...asked) => this.leases.release(...asked),
      // Other replicas have leases there, too.
      close: () => Promise.resolve(),
    };
    const push = createPush({
      catalog,
      authenticator: this,
      leases,
      clock: this.clock,
      ...limits,
      criticalRetentionSeconds: 1e6,
      connectsPerMinute: 1e6,
      maxConnectionsPerOwner: 1000,
      logger: {
        log: () => undefined,
        warn: () => undefined,
        error: (line) => this.errors.push(/^While ([^:]+):/.exec(line)?.[1] ?? line),
      },
      ...(log === undefined ? {} : { log }),
    });
    this.#note(push.parts.log);
    return push;
  }

  /** Notes what is appended to a log. */
  #note(log: MessageLog): void {
    const append = log.append.bind(log);
    log.append = async (message) => {
      const { tick } = this;
      const cursor = await append(message);
      if (cursor === undefined) return undefined;
      const order = this.orderOf(cursor);
      const name = nameOf({ ...message, cursor });
      if (order !== undefined && !this.published.has(name)) {
        this.published.set(name, { record: { ...message, cursor }, order, tick });
        this.tally.published += 1;
        this.#noteMembership(message, order);
      }
      return cursor;
    };
  }

  #noteMembership({ effect }: StampedMessage, order: Order): void {
    if (effect?.kind !== 'membership') return;
    const { change, user_id } = effect as { kind: string; change: string; user_id: string };
    const stay = this.stays.get(user_id)?.at(-1);
    if (change === 'added' && stay !== undefined) stay.joined = order;
  }

  isMoving(user: string): boolean {
    return this.stays.get(user)?.at(-1)?.to === Infinity;
  }

  async authenticate(token: string): Promise<Authentication> {
    await this.#ask([token]);
    const found = this.clients.find((one) => one.token === token);
    return found === undefined || this.revoked.has(token)
      ? { outcome: 'unauthorized', detail: 'revoked' }
      : { outcome: 'authenticated', principal: this.#principal(found) };
  }

  async reauthorize(principals: readonly Principal[]): Promise<(Principal | undefined)[]> {
    await this.#ask(principals.map(({ tokenId }) => tokenId));
    return principals.map(({ tokenId }) => {
      const found = this.clients.find((one) => one.token === tokenId);
      return found === undefined || this.revoked.has(tokenId) ? undefined : this.#principal(found);
    });
  }

  async #ask(tokens: readonly string[]): Promise<void> {
    const asked = this.clock.elapsed();
    await Promise.resolve();
    if (this.isOut) throw new Error('nobody answers');
    for (const token of tokens) this.#confirmed.set(token, asked);
  }

  #principal({ user, token }: Client): Principal {
    return {
      userId: user,
      tokenId: token,
      organizationIds: new Set(this.isMoving(user) ? ORGANIZATIONS : ['steady']),
    };
  }

  #publish(message: Publishable<typeof catalog>, on: number): void {
    const { publisher } = this.replica(on);
    const prepared = publisher.prepare(message);
    const sending = publisher.send(prepared, this.record(prepared.stamped));
    this.sending.add(sending);
    void sending.then(() => this.sending.delete(sending));
  }

  /** One step of a history. A change is committed before it is published, as in a program. */
  do(one: Step): Promise<void> | void {
    this.tick += 1;
    switch (one.do) {
      case 'invalidate':
        return this.#publish(
          {
            type: 'StackChanged',
            message: {
              type: 'Stack',
              id: String(one.key),
              organization_id: one.organization,
              change_type: one.change,
              data: {},
            },
          },
          one.on,
        );
      case 'burst':
        for (let id = 0; id < one.many; id += 1) {
          this.#publish(
            {
              type: 'ProjectChanged',
              message: {
                type: 'Project',
                id: String(id),
                organization_id: one.organization,
                change_type: 1,
                data: {},
              },
            },
            one.on,
          );
        }
        return;
      case 'overage':
        return this.#publish(
          { type: 'PlanOverage', message: { organization_id: one.organization, is_hourly: false } },
          one.on,
        );
      case 'announce':
        return this.#publish(
          { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } },
          one.on,
        );
      case 'user':
        return this.#publish(
          { type: 'UserChanged', message: { type: 'User', id: one.user, change_type: 1, data: {} } },
          one.on,
        );
      case 'join':
        if (this.isMoving(one.user)) return;
        this.stays.get(one.user)?.push({ from: this.tick, to: Infinity });
        return this.#membership(one.user, ChangeType.Added, one.on);
      case 'quit': {
        const stay = this.stays.get(one.user)?.at(-1);
        if (stay?.to !== Infinity) return;
        // It is over when the record is applied; `settle` sets the tick.
        stay.to = Number.MAX_SAFE_INTEGER;
        return this.#membership(one.user, ChangeType.Removed, one.on);
      }
      case 'revoke': {
        const { token, user } = this.client(one.client);
        this.revoked.add(token);
        return this.#publish(
          {
            type: 'TokenChanged',
            message: { type: 'Token', id: token, change_type: ChangeType.Removed, data: { user_id: user } },
          },
          one.on,
        );
      }
      case 'connect':
        return this.#connect(this.client(one.client), one.cursor, one.on);
      case 'stumble':
        return this.#stumble(this.client(one.client), one.isCritical, one.on);
      case 'cut':
        return this.cut(this.client(one.client));
      case 'block': {
        const { transport } = this.client(one.client);
        if (transport === undefined) return;
        transport.left = one.after;
        if (one.after === 0) transport.writable = false;
        return;
      }
      case 'unblock':
        return this.#unblock(this.client(one.client));
      case 'leave':
        for (const { parts } of this.replicas)
          for (const connection of [...parts.hub.ofToken(this.client(one.client).token)]) connection.drain(0);
        return;
      case 'keepAlive':
        return this.#keepAlive();
      case 'turn':
        return this.settle();
      case 'outage':
        this.isOut = one.is;
        return;
      case 'pass':
        return this.clock.advanceAsync(one.seconds * 1000);
    }
  }

  protected client(index: number): Client {
    const found = this.clients[index];
    if (found === undefined) throw new Error('no such client');
    return found;
  }

  #membership(user: string, change: ChangeType, on: number): void {
    this.#publish(
      {
        type: 'UserMembershipChanged',
        message: { change_type: change, user_id: user, organization_id: 'moving' },
      },
      on,
    );
  }

  #keepAlive(): void {
    for (const { parts } of this.replicas) for (let slot = 0; slot < 60; slot += 1) parts.keepAlive.tick();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn += 1) await settled();
    for (const stays of this.stays.values()) {
      for (const stay of stays) if (stay.to === Number.MAX_SAFE_INTEGER) stay.to = this.tick;
    }
  }

  async #connect(who: Client, cursor: 'last' | 'older' | 'none', on: number): Promise<void> {
    this.cut(who);
    const brought = cursor === 'none' ? undefined : cursor === 'last' ? who.last : (who.older ?? who.last);
    await this.open(who, on, brought);
  }

  /** Opens a stream, and cuts the one before. `replaces`: its connection. */
  protected async open(who: Client, on: number, cursor?: string, replaces?: string): Promise<void> {
    const push = this.replica(on);
    const gone = new AbortController();
    const asked = {
      transport: 'sse' as const,
      credential: who.token,
      origin: undefined,
      host: 'x',
      address: who.token,
      cursor,
      client: 'c/1',
      knowsResync: !who.isOld,
      types: undefined,
      replaces,
      wantsStream: false,
    };
    const admitted = await push.parts.admission.admit(asked, gone.signal);
    if (admitted.outcome !== 'admitted') return;
    const transport = new LimitedTransport((frame) => this.#receive(who, { push, on, transport }, frame));
    const opening = push.parts.streams.open(admitted, transport, gone.signal).then(({ outcome }) => {
      if (outcome !== 'opened') return;
      this.cut(who);
      who.gone = gone;
      who.transport = transport;
      if (cursor === undefined) {
        // It fetches what there is, and counts from here.
        Object.assign(who, { heard: [], last: undefined, older: undefined });
        Object.assign(who, { since: undefined, refetched: -1n, isTruncated: false });
      }
      who.isResyncing = false;
    });
    await this.passing(opening, on);
  }

  /** Comes back with the same cursor until it is led past a message that it cannot read. */
  async #stumble(who: Client, isCritical: boolean, on: number): Promise<void> {
    await this.settle();
    this.cut(who);
    this.#publish(
      isCritical
        ? { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: LARGE } }
        : {
            type: 'WebHookChanged',
            message: { type: 'WebHook', organization_id: 'steady', change_type: 1, data: { text: LARGE } },
          },
      on,
    );
    await this.settle();
    for (let time = 0; time < 4; time += 1) await this.#connect(who, 'last', on);
  }

  /** Waits for what a replica may be slow with. */
  protected passing(waiting: Promise<void>, _on: number): Promise<void> {
    return waiting;
  }

  protected cut(who: Client): void {
    if (who.transport?.ended === 'unconfirmed') this.tally.unconfirmed += 1;
    if (who.transport?.ended === 'stale') this.tally.stale += 1;
    who.transport?.close();
    who.gone.abort();
    who.transport = undefined;
    who.connectionId = undefined;
  }

  #unblock({ transport }: Client): void {
    if (transport === undefined) return;
    transport.left = Infinity;
    transport.drain();
  }

  #receive(
    who: Client,
    { push, on, transport }: { push: Push; on: number; transport: LimitedTransport },
    frame: LimitedTransport['written'][number][number],
  ): void {
    if (who.transport !== transport) throw new Error('written to a socket that is gone');
    if (frame.id !== undefined) {
      who.older = who.last ?? frame.id;
      who.last = frame.id;
    }
    const order = frame.id === undefined ? undefined : this.orderOf(frame.id);
    const envelope = envelopeOf(frame);
    if (envelope?.type === 'Connected') {
      const { connection_id, resumed } = envelope.message as { connection_id: string; resumed: string };
      if (resumed === 'resumed' && who.on !== on) this.tally.moved += 1;
      if (resumed === 'resumed' && who.on === on && who.push !== push) this.tally.restarted += 1;
      who.on = on;
      who.push = push;
      who.connectionId = connection_id;
      // An old client that is connected again fetches all that has happened by now.
      if (who.isOld && who.since !== undefined)
        who.refetched = this.orderOf(push.parts.delivery.window.head.cursor) ?? -1n;
      who.since ??= order;
    }
    const unconfirmedFor = this.clock.elapsed() - (this.#confirmed.get(who.token) ?? 0);
    if (frame instanceof LoggedFrame && unconfirmedFor > UNCONFIRMED_SECONDS * 1000 + LOOK_MS)
      throw new Error(`${who.token} was handed a message ${unconfirmedFor} ms after its rights were known`);
    if (frame instanceof LoggedFrame) {
      const { record, id } = frame;
      const recordOrder = record.cursor === id ? order : this.orderOf(record.cursor);
      who.heard.push({ record, id, order: recordOrder ?? -1n, tick: this.tick });
    }
    if (envelope?.type === 'Resync') {
      const { criticals, reason } = envelope.message as { criticals: string; reason: string };
      if (who.isOld && transport.frames.indexOf(frame) !== 1)
        throw new Error(`${who.token}, an old client, was told to refetch in the middle of its stream`);
      who.isResyncing = !who.isOld;
      if (criticals === 'truncated') who.isTruncated = true;
      if (reason === 'too_large') this.tally.tooLarge += 1;
    }
    // What it fetches is at least as new as the Resync, and all that comes between it and the mark behind it.
    if (who.isResyncing && order !== undefined && order > who.refetched) who.refetched = order;
    if (frame instanceof PositionFrame) who.isResyncing = false;
  }

  /** Everybody reads everything; whoever was away comes back with the last id. */
  async finish(): Promise<void> {
    for (const who of this.clients) this.#unblock(who);
    await this.settle();
    await this.readAll();
    this.isOut = false;
    // Refusals that name a time are remembered for it.
    await this.clock.advanceAsync(20_000);
    await this.settle();
    this.tick += 1;
    for (const [index, who] of this.clients.entries()) {
      const on = (this.tick + index) % this.replicas.length;
      if (who.last !== undefined && !this.revoked.has(who.token)) await this.#connect(who, 'last', on);
    }
    for (let turn = 0; turn < 20; turn += 1) await this.settle();
    this.#keepAlive();
    this.tally.resyncs += this.clients.filter(({ isOld, refetched }) => !isOld && refetched >= 0n).length;
  }

  /** Every replica has read all that was published. */
  protected abstract readAll(): Promise<void>;

  /** All streams end. Returns what is left of them, and of what was reported unexpectedly. */
  async end(): Promise<{ readonly left: number; readonly errors: readonly string[] }> {
    for (const { parts } of this.replicas) for (const loop of parts.loops) loop.stop();
    for (const who of this.clients) this.cut(who);
    // Those that were told to move, and that nobody holds any more.
    this.clock.advance(4000);
    await settled();
    const left = this.replicas.map(
      ({ parts }) => parts.hub.indexed + parts.keepAlive.size + parts.catchUp.size,
    );
    return {
      left: left.reduce((all, one) => all + one, this.leases.count()),
      errors: this.errors.filter((doing) => !this.expects(doing)),
    };
  }

  /** Whether that may be reported. */
  protected expects(doing: string): boolean {
    return EXPECTED.has(doing);
  }
}
