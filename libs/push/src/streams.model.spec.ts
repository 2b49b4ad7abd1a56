import { randomInt } from 'node:crypto';
import { ChangeType, catalog } from '@crossfade/protocol/catalog';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LoggedFrame, PositionFrame } from './frame.js';
import type { LogRecord, Offset } from './log.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import type { Authentication, Authenticator, Principal } from './principal.js';
import type { Publishable } from './publisher.js';
import { createPush } from './push.js';
import { ScriptedTransport, settled } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

/*
 * Random histories of everything that happens to streams, against a plain model: what was published, in order; who
 * belonged to what, and when; what each client got. It knows nothing of windows, queues, merging or turns.
 *
 * Half of the clients are old: a `Resync` means nothing to them, and they fetch whenever they have connected again.
 */

const RUNS = Number(process.env['MODEL_RUNS'] ?? 3000);
const SEED = Number(process.env['MODEL_SEED'] ?? randomInt(2 ** 31));

const USERS = ['ann', 'ben'] as const;
/** `steady` never changes hands; `moving` does. */
const ORGANIZATIONS = ['steady', 'moving'] as const;
const CLIENTS = 6;
const UNCONFIRMED_SECONDS = 120;
/** Between two looks for those whose time is over. */
const LOOK_MS = 1000;
/** What may be reported while nobody answers. */
const EXPECTED = new Set([
  'admitting a stream',
  'reading a principal again',
  'running reauthorization',
  'confirming a membership; the next reauthorization grants it',
]);
/** What some clients cannot read. */
const LARGE = 'x'.repeat(5000);
const LIMITS = { windowCapacity: 16, criticalCapacity: 6, writeQueueCapacity: 3 };

const who = fc.constantFrom(...USERS);
const client = fc.nat(CLIENTS - 1);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('invalidate' as const),
      organization: fc.constantFrom(...ORGANIZATIONS),
      key: fc.nat(3),
      change: fc.constantFrom(1 as const, 2 as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      organization: fc.constantFrom(...ORGANIZATIONS),
      many: fc.nat(20),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('overage' as const),
      organization: fc.constantFrom(...ORGANIZATIONS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('announce' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('user' as const), user: who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('join' as const, 'quit' as const), user: who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), client }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      client,
      cursor: fc.constantFrom('last', 'last', 'older', 'none'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('stumble' as const), client, isCritical: fc.boolean() }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('block' as const), client, after: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unblock' as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), client }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('keepAlive' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('outage' as const), is: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(1, 40, 125) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

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

interface Client {
  readonly user: (typeof USERS)[number];
  readonly isOld: boolean;
  readonly token: string;
  transport: LimitedTransport | undefined;
  gone: AbortController;
  /** The last id that it has read, and one that it had before. */
  last: string | undefined;
  older: string | undefined;
  /** From where on it must hear of everything: its first fresh stream. */
  since: Offset | undefined;
  heard: { record: LogRecord; tick: number }[];
  /** Up to where it was told to refetch everything, and whether it was told that critical messages are missing. */
  refetched: Offset;
  isTruncated: boolean;
  /** A Resync whose end is not known yet. */
  isResyncing: boolean;
}

class World implements Authenticator {
  readonly leases = new MemoryLeaseStore();
  readonly clock = new VirtualClock();
  readonly errors: string[] = [];
  readonly push = createPush({
    catalog,
    authenticator: this,
    leases: this.leases,
    clock: this.clock,
    ...LIMITS,
    criticalRetentionSeconds: 1e6,
    connectsPerMinute: 1e6,
    maxConnectionsPerOwner: 1000,
    logger: {
      log: () => undefined,
      warn: () => undefined,
      error: (line) => this.errors.push(/^While ([^:]+):/.exec(line)?.[1] ?? line),
    },
  });
  readonly hub = this.push.parts.hub;
  readonly log = this.push.parts.log;
  readonly delivery = this.push.parts.delivery;
  readonly keepAlive = this.push.parts.keepAlive;
  readonly catchUp = this.push.parts.catchUp;
  readonly loops = [this.push.parts.reauthorization.loop, this.push.parts.suspension.loop];
  /** Whether the authenticator cannot be asked, and when it was last asked about a token and answered. */
  isOut = false;
  unconfirmed = 0;
  /** Ends of old clients' streams where others get `Resync`. */
  stale = 0;
  /** Messages that somebody could not read, and was led past. */
  tooLarge = 0;
  readonly confirmed = new Map<string, number>();
  readonly clients: Client[] = Array.from({ length: CLIENTS }, (_, index) => ({
    user: USERS[index % USERS.length] ?? 'ann',
    isOld: index >= CLIENTS / 2,
    token: `t${index}`,
    transport: undefined,
    gone: new AbortController(),
    last: undefined,
    older: undefined,
    since: undefined,
    heard: [],
    refetched: -1n,
    isTruncated: false,
    isResyncing: false,
  }));

  readonly published: { record: LogRecord; tick: number }[] = [];
  readonly revoked = new Set<string>();
  /** When each user was in `moving`: from a tick, to a tick. */
  readonly stays = new Map<string, { from: number; to: number }[]>(
    USERS.map((user) => [user, [{ from: 0, to: Infinity }]]),
  );
  tick = 0;

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
    for (const token of tokens) this.confirmed.set(token, asked);
  }

  #principal({ user, token }: Client): Principal {
    return {
      userId: user,
      tokenId: token,
      organizationIds: new Set(this.isMoving(user) ? ORGANIZATIONS : ['steady']),
    };
  }

  publish(message: Publishable<typeof catalog>): void {
    void this.push.publisher.publish(message);
  }

  /** One step of a history. A change is committed before it is published, as in a program. */
  do(one: Step): Promise<void> | void {
    this.tick += 1;
    switch (one.do) {
      case 'invalidate':
        return this.publish({
          type: 'StackChanged',
          message: {
            type: 'Stack',
            id: String(one.key),
            organization_id: one.organization,
            change_type: one.change,
            data: {},
          },
        });
      case 'burst':
        for (let id = 0; id < one.many; id += 1) {
          this.publish({
            type: 'ProjectChanged',
            message: {
              type: 'Project',
              id: String(id),
              organization_id: one.organization,
              change_type: 1,
              data: {},
            },
          });
        }
        return;
      case 'overage':
        return this.publish({
          type: 'PlanOverage',
          message: { organization_id: one.organization, is_hourly: false },
        });
      case 'announce':
        return this.publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } });
      case 'user':
        return this.publish({
          type: 'UserChanged',
          message: { type: 'User', id: one.user, change_type: 1, data: {} },
        });
      case 'join':
        if (this.isMoving(one.user)) return;
        this.stays.get(one.user)?.push({ from: this.tick, to: Infinity });
        return this.#membership(one.user, ChangeType.Added);
      case 'quit': {
        const stay = this.stays.get(one.user)?.at(-1);
        if (stay?.to !== Infinity) return;
        // It is over when the record is applied; `settle` sets the tick.
        stay.to = Number.MAX_SAFE_INTEGER;
        return this.#membership(one.user, ChangeType.Removed);
      }
      case 'revoke': {
        const { token, user } = this.#client(one.client);
        this.revoked.add(token);
        return this.publish({
          type: 'TokenChanged',
          message: { type: 'Token', id: token, change_type: ChangeType.Removed, data: { user_id: user } },
        });
      }
      case 'connect':
        return this.#connect(this.#client(one.client), one.cursor);
      case 'stumble':
        return this.#stumble(this.#client(one.client), one.isCritical);
      case 'cut':
        return this.#cut(this.#client(one.client));
      case 'block': {
        const { transport } = this.#client(one.client);
        if (transport === undefined) return;
        transport.left = one.after;
        if (one.after === 0) transport.writable = false;
        return;
      }
      case 'unblock':
        return this.#unblock(this.#client(one.client));
      case 'leave':
        for (const connection of [...this.hub.ofToken(this.#client(one.client).token)]) connection.drain(0);
        return;
      case 'keepAlive':
        for (let slot = 0; slot < 60; slot += 1) this.keepAlive.tick();
        return;
      case 'turn':
        return this.settle();
      case 'outage':
        this.isOut = one.is;
        return;
      case 'pass':
        return this.clock.advanceAsync(one.seconds * 1000);
    }
  }

  #client(index: number): Client {
    const found = this.clients[index];
    if (found === undefined) throw new Error('no such client');
    return found;
  }

  #membership(user: string, change: ChangeType): void {
    this.publish({
      type: 'UserMembershipChanged',
      message: { change_type: change, user_id: user, organization_id: 'moving' },
    });
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn += 1) await settled();
    for (const stays of this.stays.values()) {
      for (const stay of stays) if (stay.to === Number.MAX_SAFE_INTEGER) stay.to = this.tick;
    }
  }

  async #connect(who: Client, cursor: string): Promise<void> {
    this.#cut(who);
    const brought = cursor === 'none' ? undefined : cursor === 'last' ? who.last : (who.older ?? who.last);
    const gone = new AbortController();
    const asked = {
      transport: 'sse' as const,
      credential: who.token,
      origin: undefined,
      host: 'x',
      address: who.token,
      cursor: brought,
      client: 'c/1',
      knowsResync: !who.isOld,
      types: undefined,
      replaces: undefined,
      wantsStream: false,
    };
    const admitted = await this.push.parts.admission.admit(asked, gone.signal);
    if (admitted.outcome !== 'admitted') return;
    const transport = new LimitedTransport((frame) => this.#receive(who, transport, frame));
    who.gone = gone;
    who.transport = transport;
    if (brought === undefined) {
      // It fetches what there is, and counts from here.
      Object.assign(who, { heard: [], last: undefined, older: undefined });
      Object.assign(who, { since: undefined, refetched: -1n, isTruncated: false });
    }
    who.isResyncing = false;
    transport.left = Infinity;
    await this.push.parts.streams.open(admitted, transport, gone.signal);
  }

  /** Comes back with the same cursor until it is led past a message that it cannot read. */
  async #stumble(who: Client, isCritical: boolean): Promise<void> {
    await this.settle();
    this.#cut(who);
    this.publish(
      isCritical
        ? { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: LARGE } }
        : {
            type: 'WebHookChanged',
            message: { type: 'WebHook', organization_id: 'steady', change_type: 1, data: { text: LARGE } },
          },
    );
    await this.settle();
    for (let time = 0; time < 4; time += 1) await this.#connect(who, 'last');
  }

  #cut(who: Client): void {
    if (who.transport?.ended === 'unconfirmed') this.unconfirmed += 1;
    if (who.transport?.ended === 'stale') this.stale += 1;
    who.transport?.close();
    who.gone.abort();
    who.transport = undefined;
  }

  #unblock({ transport }: Client): void {
    if (transport === undefined) return;
    transport.left = Infinity;
    transport.drain();
  }

  #receive(
    who: Client,
    transport: LimitedTransport,
    frame: LimitedTransport['written'][number][number],
  ): void {
    if (who.transport !== transport) throw new Error('written to a socket that is gone');
    if (frame.id !== undefined) {
      who.older = who.last ?? frame.id;
      who.last = frame.id;
    }
    if (frame.envelope?.type === 'Connected') {
      // An old client that is connected again fetches all that has happened by now.
      if (who.isOld && who.since !== undefined) who.refetched = this.delivery.window.head.offset;
      const offset = this.log.locate(frame.id ?? '');
      if (typeof offset === 'bigint') who.since ??= offset;
    }
    const unconfirmedFor = this.clock.elapsed() - (this.confirmed.get(who.token) ?? 0);
    if (frame instanceof LoggedFrame && unconfirmedFor > UNCONFIRMED_SECONDS * 1000 + LOOK_MS)
      throw new Error(`${who.token} was handed a message ${unconfirmedFor} ms after its rights were known`);
    if (frame instanceof LoggedFrame) who.heard.push({ record: frame.record, tick: this.tick });
    if (frame.envelope?.type === 'Resync') {
      const { criticals, reason } = frame.envelope.message as { criticals: string; reason: string };
      if (who.isOld && transport.frames.indexOf(frame) !== 1)
        throw new Error(`${who.token}, an old client, was told to refetch in the middle of its stream`);
      who.isResyncing = !who.isOld;
      if (criticals === 'truncated') who.isTruncated = true;
      if (reason === 'too_large') this.tooLarge += 1;
    }
    // What it fetches is at least as new as the Resync, and all that comes between it and the mark behind it.
    const offset = this.log.locate(frame.id ?? '');
    if (who.isResyncing && typeof offset === 'bigint' && offset > who.refetched) who.refetched = offset;
    if (frame instanceof PositionFrame) who.isResyncing = false;
  }

  /** Everybody reads everything; whoever was away comes back with the last id. */
  async finish(): Promise<void> {
    for (const who of this.clients) this.#unblock(who);
    await this.settle();
    const last = this.published.at(-1)?.record.offset ?? 0n;
    while (this.delivery.head.offset < last) await this.settle();
    this.isOut = false;
    // Refusals that name a time are remembered for it.
    await this.clock.advanceAsync(20_000);
    this.tick += 1;
    for (const who of this.clients) {
      if (who.last !== undefined && !this.revoked.has(who.token)) await this.#connect(who, 'last');
    }
    for (let turn = 0; turn < 20; turn += 1) await this.settle();
    for (let slot = 0; slot < 60; slot += 1) this.keepAlive.tick();
  }

  leaveAll(): void {
    for (const loop of this.loops) loop.stop();
    for (const who of this.clients) this.#cut(who);
    // Those that were told to move, and that nobody holds any more.
    this.clock.advance(4000);
  }
}

function check(world: World): void {
  for (const token of world.revoked) {
    expect([...world.hub.ofToken(token)], `${token} is revoked`).toEqual([]);
  }
  for (const who of world.clients) {
    const name = `${who.token} of ${who.user}`;
    for (const { record, tick } of who.heard) {
      const from = world.published.find((one) => one.record.cursor === record.cursor)?.tick ?? 0;
      const mayBe = record.audience.some((audience) => {
        if (audience.kind === 'everyone') return true;
        if (audience.kind === 'user') return audience.id === who.user;
        if (audience.id === 'steady') return true;
        return (world.stays.get(who.user) ?? []).some((stay) => stay.from <= tick && stay.to >= from);
      });
      expect(mayBe, `${name} heard ${record.type} ${record.cursor} without the right`).toBe(true);
    }
    if (who.since === undefined || world.revoked.has(who.token)) continue;
    for (const { record } of world.published) {
      if (record.offset <= who.since) continue;
      const always = record.audience.some(
        (audience) =>
          audience.kind === 'everyone' ||
          (audience.kind === 'user' && audience.id === who.user) ||
          (audience.kind === 'organization' && audience.id === 'steady'),
      );
      if (!always) continue;
      const isHeard = who.heard.some(({ record: other }) =>
        record.delivery === 'critical'
          ? other.cursor === record.cursor
          : other.offset >= record.offset && other.key === record.key,
      );
      const isExcused = record.delivery === 'critical' ? who.isTruncated : record.offset <= who.refetched;
      expect(isHeard || isExcused, `${name} never heard ${record.type} ${record.cursor}`).toBe(true);
    }
  }
}

it(`keeps every promise through ${RUNS} random histories (seed ${SEED})`, async () => {
  let resyncs = 0;
  let unconfirmed = 0;
  let merged = 0;
  let stale = 0;
  let tooLarge = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), async (history) => {
      const world = new World();
      const append = world.log.append.bind(world.log);
      world.log.append = async (message) => {
        const { tick } = world;
        const cursor = await append(message);
        const offset = world.log.locate(cursor);
        if (typeof offset === 'bigint') {
          world.published.push({ record: { ...message, cursor, offset, publishedAt: 0 }, tick });
        }
        return cursor;
      };
      await world.delivery.start();
      for (const loop of world.loops) loop.start();
      for (let client = 0; client < CLIENTS; client += 1)
        await world.do({ do: 'connect', client, cursor: 'none' });
      await world.do({ do: 'turn' });
      for (const one of history) await world.do(one);
      await world.finish();
      check(world);
      // Nothing happens any more: whoever came back because of an end is not ended again.
      const here = world.clients.filter(({ token }) => !world.revoked.has(token));
      expect(here.map(({ transport }) => transport?.ended)).not.toContain('stale');
      // On each stream, in the log's order.
      for (const { transport } of world.clients) {
        const offsets = (transport?.written.flat() ?? []).flatMap((frame) =>
          frame instanceof LoggedFrame ? [frame.offset] : [],
        );
        for (const [index, offset] of offsets.entries()) {
          if (index > 0) expect(offset > (offsets[index - 1] ?? 0n)).toBe(true);
        }
      }
      unconfirmed += world.unconfirmed;
      resyncs += world.clients.filter(({ isOld, refetched }) => !isOld && refetched >= 0n).length;
      stale += world.stale;
      tooLarge += world.tooLarge;
      merged += world.published.length;
      world.leaveAll();
      await settled();
      expect(world.errors.filter((doing) => !EXPECTED.has(doing))).toEqual([]);
      expect([world.hub.indexed, world.leases.count(), world.keepAlive.size, world.catchUp.size]).toEqual([
        0, 0, 0, 0,
      ]);
    }),
    { numRuns: RUNS, seed: SEED },
  );
  // Histories that never lose anything would prove nothing.
  expect(resyncs).toBeGreaterThan(RUNS / 50);
  expect(merged).toBeGreaterThan(RUNS);
  expect(unconfirmed).toBeGreaterThan(RUNS / 50);
  expect(stale).toBeGreaterThan(RUNS / 50);
  expect(tooLarge).toBeGreaterThan(RUNS / 50);
}, 600_000);
