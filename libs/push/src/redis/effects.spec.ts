import { randomInt } from 'node:crypto';
import { ChangeType, catalog } from '@crossfade/protocol/catalog';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { make, request } from '../admission.spec-kit.js';
import type { Connection } from '../connection.js';
import { LoggedFrame, PositionFrame } from '../frame.js';
import type { LogRecord, Offset } from '../log.js';
import { MemoryLeaseStore } from '../memory/lease-store.js';
import type { Authentication, Authenticator, Principal } from '../principal.js';
import type { Publishable } from '../publisher.js';
import { createPush, type Push } from '../push.js';
import { envelopeOf, ScriptedTransport, settled } from '../scripted.spec-kit.js';
import { eventually } from '../testing/index.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { RedisConnection } from './connection.js';
import { RedisMessageLog } from './log.js';
import { RedisServer } from './redis-server.spec-kit.js';

/*
 * Memberships change in a database, and two replicas tell of it, each in its own time: records may be appended in another
 * order than their changes were committed. Whatever the order, connections get what the database says.
 */

const SEED = Number(process.env['MODEL_SEED'] ?? randomInt(2 ** 31));
const RUNS = Math.ceil(Number(process.env['MODEL_RUNS'] ?? 3000) / 20);
const DEADLINE_MS = 7_200_000;
const USERS = ['ann', 'ben'] as const;
const ORGANIZATIONS = ['o', 'p'] as const;
const REPLICAS = 2;

let redis: RedisServer;
let commands: RedisConnection;
let readers: RedisConnection[];
let histories = 0;
beforeAll(async () => {
  redis = await RedisServer.start('--appendonly', 'no');
  commands = await redis.connect();
});
afterAll(async () => {
  await commands.close();
  await redis.stop();
});

/** How long the authenticator takes before it reads the database, and then before it answers, milliseconds. */
interface Delays {
  readonly before: number;
  readonly after: number;
}

/** One membership, as it is committed. */
interface Membership {
  isMember: boolean;
  /** When that was committed last, and the record of it. */
  since: number;
  recordId: string | undefined;
}

/** Who belongs to what. Answers take their time. Moments are counted: each event has its own. */
class Database implements Authenticator {
  moment = 0;
  /** It answers at once from now on. */
  isQuick = false;
  readonly #memberships = new Map<string, Membership>();

  constructor(
    private readonly clock: VirtualClock,
    private readonly delays: Iterator<Delays>,
  ) {
    for (const user of USERS)
      for (const organization of ORGANIZATIONS)
        this.#memberships.set(`${user} ${organization}`, {
          isMember: organization === 'o',
          since: 0,
          recordId: undefined,
        });
  }

  of(user: string, organization: string): Membership {
    const found = this.#memberships.get(`${user} ${organization}`);
    if (found === undefined) throw new Error('no such membership');
    return found;
  }

  organizationsOf(user: string): Set<string> {
    return new Set(ORGANIZATIONS.filter((organization) => this.of(user, organization).isMember));
  }

  async authenticate(user: string): Promise<Authentication> {
    return { outcome: 'authenticated', principal: this.#read(user) };
  }

  async reauthorize(principals: readonly Principal[]): Promise<readonly Principal[]> {
    const { before, after } = this.delays.next().value as Delays;
    await this.#pass(before);
    const read = principals.map(({ tokenId }) => this.#read(tokenId));
    await this.#pass(after);
    return read;
  }

  #read(user: string): Principal {
    return { userId: user, tokenId: user, organizationIds: this.organizationsOf(user) };
  }

  #pass(milliseconds: number): Promise<void> | undefined {
    if (milliseconds === 0 || this.isQuick) return undefined;
    return new Promise((resolve) => void this.clock.after(milliseconds, resolve));
  }
}

const on = fc.nat(REPLICAS - 1);
const organization = fc.constantFrom(...ORGANIZATIONS);
const user = fc.constantFrom(...USERS);
/** `longest`: how much time passes between two steps at most, milliseconds. */
const stepsOf = (longest: number) => fc.array(stepOf(longest), { minLength: 5, maxLength: 40, size: 'max' });
const stepOf = (longest: number) =>
  fc.oneof(
    // `delay`: between the commit and the append, milliseconds.
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('change' as const), on, user, organization, delay: fc.nat(40) }),
    },
    // And back again at once, by the other replica, whose record comes first.
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('flip' as const), on, user, organization, delay: fc.nat(40) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), on, organization }) },
    // More than a queue holds, so that a stream whose socket takes nothing falls behind.
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('block' as const),
        client: fc.nat(7),
        milliseconds: fc.nat(60),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), milliseconds: fc.nat(longest) }) },
  );
type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer T> ? T : never;

/** A client's streams, one after the other: it comes back to its replica when one ends. */
interface Client {
  readonly user: string;
  readonly on: number;
  readonly transports: ScriptedTransport[];
  connection: Connection | undefined;
}

/** Two replicas, with two clients of each user on each. */
class World {
  readonly clock = new VirtualClock();
  readonly database: Database;
  readonly faults: string[] = [];
  readonly errors: string[] = [];
  readonly clients: Client[] = [];
  /** Streams that ended, since nobody could say what their users belong to. */
  ended = 0;
  readonly #replicas: readonly Push<typeof catalog>[];
  readonly #records: { recordIds: readonly string[]; organization: string; order: Offset }[] = [];
  /** On each replica: the records that it has read. */
  readonly #read = Array.from({ length: REPLICAS }, () => new Set<string>());
  /** On each replica, for each user: when it read the last record about them whose effect was applied. */
  readonly #applied = Array.from({ length: REPLICAS }, () => new Map<string, number>());
  readonly #appending = new Set<Promise<void>>();
  #sent = 0;

  constructor(
    delays: Iterator<Delays>,
    prefix: string,
    /** Whether every question is answered in time, so that each record brings what the database says. */
    private readonly isInTime: boolean,
  ) {
    this.database = new Database(this.clock, delays);
    this.#replicas = readers.map((reader, index) => {
      const log = new RedisMessageLog({ commands, reader, prefix });
      this.#watch(log, index);
      return createPush({
        catalog,
        authenticator: this.database,
        leases: new MemoryLeaseStore(),
        clock: this.clock,
        connectsPerMinute: 1e6,
        writeQueueCapacity: 3,
        log,
        logger: {
          log: () => undefined,
          warn: () => undefined,
          error: (line) => this.errors.push(line),
        },
      });
    });
  }

  async start(): Promise<void> {
    for (const [index, { parts }] of this.#replicas.entries()) {
      await parts.delivery.start();
      parts.reauthorization.loop.start();
      for (const one of USERS)
        for (let time = 0; time < 2; time += 1) {
          const client: Client = { user: one, on: index, transports: [], connection: undefined };
          await this.#open(client);
          this.clients.push(client);
        }
    }
  }

  async take(one: Step): Promise<void> {
    switch (one.do) {
      case 'change':
        return this.#change(one.user, one.organization, one.on, one.delay);
      case 'flip':
        this.#change(one.user, one.organization, one.on, one.delay);
        return this.#change(one.user, one.organization, REPLICAS - 1 - one.on, 0);
      case 'publish':
        return this.#publish(one.organization, one.on);
      case 'block': {
        const client = this.clients[one.client];
        const transport = client?.transports.at(-1);
        if (client === undefined || transport === undefined) return;
        transport.writable = false;
        for (let time = 0; time < 5; time += 1) this.#announce(client.on);
        this.clock.after(one.milliseconds, () => transport.drain());
        return;
      }
      case 'pass':
        return this.pass(one.milliseconds);
    }
  }

  /** Lets time pass in pieces, and replicas read meanwhile. */
  async pass(milliseconds: number, piece = Math.max(5, milliseconds / 10)): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += piece) {
      await this.#roundTrip();
      await this.clock.advanceAsync(piece);
      for (const client of this.clients) this.#comeBack(client);
    }
    await this.#roundTrip();
  }

  #comeBack(client: Client): void {
    if (client.connection === undefined || client.transports.at(-1)?.ended === undefined) return;
    this.ended += 1;
    client.connection = undefined;
    void this.#open(client).catch((error: unknown) => this.faults.push(String(error)));
  }

  /** All that was published is appended. Then that time passes, in which everybody reads all. */
  async finish(milliseconds: number): Promise<void> {
    await this.pass(50);
    while (this.#appending.size > 0) await Promise.all(this.#appending);
    this.database.isQuick = !this.isInTime;
    for (const { transports } of this.clients) transports.at(-1)?.drain();
    await this.pass(milliseconds);
    for (let turn = 0; turn < 20; turn += 1) await settled();
  }

  /** What every connection has, beside what the database says. */
  get held(): readonly { readonly has: string[]; readonly should: string[] }[] {
    return this.clients.map(({ connection, user: whose }) => ({
      has: [...(connection?.organizationIds ?? [])].sort(),
      should: [...this.database.organizationsOf(whose)].sort(),
    }));
  }

  /** Messages that a member has neither heard nor was told to refetch. */
  get missed(): string[] {
    return this.clients.flatMap(({ user: whose, transports, on: index }) => {
      const names = new Set<string>();
      let refetched = -1n;
      let isResyncing = false;
      for (const frame of transports.flatMap(({ written }) => written.flat())) {
        if (frame instanceof LoggedFrame) for (const id of frame.record.recordIds ?? []) names.add(id);
        if (envelopeOf(frame)?.type === 'Resync') isResyncing = true;
        const offset = frame.id === undefined ? undefined : this.#replicas[index]?.parts.log.locate(frame.id);
        if (isResyncing && typeof offset === 'bigint' && offset > refetched) refetched = offset;
        if (frame instanceof PositionFrame) isResyncing = false;
      }
      return this.#records
        .filter(
          ({ organization: whom, order }) => order > this.#memberSince(whose, whom) && order > refetched,
        )
        .flatMap(({ recordIds }) => recordIds.filter((id) => !names.has(id)))
        .map((id) => `${whose} on ${index} missed ${id}`);
    });
  }

  async end(): Promise<void> {
    for (const { parts } of this.#replicas) parts.reauthorization.loop.stop();
    await Promise.all(this.#replicas.map((push) => push.parts.log.close()));
  }

  /** From where on a user must hear of an organization: where the record of its last change stands. */
  #memberSince(whose: string, whom: string): Offset {
    const { isMember, recordId } = this.database.of(whose, whom);
    if (!isMember) return 1n << 300n;
    if (recordId === undefined) return -1n;
    return this.#orders.get(recordId) ?? 1n << 300n;
  }

  readonly #orders = new Map<string, Offset>();

  /** Commits a change, and appends its record later. */
  #change(whose: string, whom: string, index: number, delay: number): void {
    const membership = this.database.of(whose, whom);
    membership.isMember = !membership.isMember;
    membership.since = this.database.moment += 1;
    const recordId = `r${(this.#sent += 1)}`;
    membership.recordId = recordId;
    const change_type = membership.isMember ? ChangeType.Added : ChangeType.Removed;
    const message = { change_type, user_id: whose, organization_id: whom };
    this.clock.after(delay, () => this.#send({ type: 'UserMembershipChanged', message }, recordId, index));
  }

  #publish(whom: string, index: number): void {
    const recordId = `r${(this.#sent += 1)}`;
    const message = { type: 'Stack', id: recordId, organization_id: whom, change_type: 1, data: {} } as const;
    this.#send({ type: 'StackChanged', message }, recordId, index);
  }

  #announce(index: number): void {
    const message = { date: '2026-01-01T00:00:00Z', message: 'for everyone' };
    this.#send({ type: 'SystemNotification', message }, `r${(this.#sent += 1)}`, index);
  }

  #send(message: Publishable<typeof catalog>, recordId: string, index: number): void {
    const publisher = this.#replicas[index]?.publisher;
    if (publisher === undefined) throw new Error('no such replica');
    const appending = publisher.send(publisher.prepare(message), recordId);
    this.#appending.add(appending);
    void appending.then(() => this.#appending.delete(appending));
  }

  async #roundTrip(): Promise<void> {
    await commands.send('', ['PING']);
    await settled();
  }

  /** Notes what a replica reads, and when its effect is applied. */
  #watch(log: RedisMessageLog, index: number): void {
    const follow = log.follow.bind(log);
    log.follow = (follower) =>
      follow({
        hole: () => {
          this.faults.push('a hole');
        },
        record: async (record) => {
          const [recordId = ''] = record.recordIds ?? [];
          this.#noteOrder(record, recordId);
          const readAt = (this.database.moment += 1);
          this.#read[index]?.add(recordId);
          await follower.record(record);
          const { effect } = record as { effect?: { kind: string; user_id?: string } };
          if (effect?.user_id !== undefined) this.#applied[index]?.set(effect.user_id, readAt);
        },
      });
  }

  #noteOrder({ offset, audience, type }: LogRecord, recordId: string): void {
    if (this.#orders.has(recordId)) return;
    this.#orders.set(recordId, offset);
    const whom = audience.find(({ kind }) => kind === 'organization');
    if (type === 'StackChanged' && whom?.kind === 'organization')
      this.#records.push({ recordIds: [recordId], organization: whom.id, order: offset });
  }

  async #open(client: Client): Promise<void> {
    const { user: whose, on: index, transports } = client;
    const push = this.#replicas[index];
    if (push === undefined) throw new Error('no such replica');
    const { admission, streams } = push.parts;
    const gone = new AbortController();
    const cursor = transports.flatMap(({ frames }) => frames).findLast(({ id }) => id !== undefined)?.id;
    const admitted = await admission.admit(request({ credential: whose, cursor }), gone.signal);
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    const transport = new ScriptedTransport();
    const opened = await streams.open(admitted, transport, gone.signal);
    if (opened.outcome !== 'opened') throw new Error('should have been opened');
    const { connection } = opened;
    // Asked when a message is handed to it, live or from the window. Later it may wait for the socket.
    const wants = connection.wants.bind(connection);
    connection.wants = (frame) => {
      const mayHave = frame.audience.some((one) => this.#mayBe(one, whose, index));
      if (!mayHave) this.faults.push(`${whose} on ${index} was handed ${frame.record.recordIds?.join()}`);
      return wants(frame);
    };
    transports.push(transport);
    client.connection = connection;
  }

  /**
   * Whether the replica may hand this user a message for that audience now. It may not once it has read the record of the
   * removal, nor once it has asked about the user after the commit: so a record that says `added` grants nothing.
   */
  #mayBe(audience: LoggedFrame['audience'][number], whose: string, index: number): boolean {
    if (audience.kind === 'everyone') return true;
    if (audience.kind === 'user') return audience.id === whose;
    const { isMember, since, recordId } = this.database.of(whose, audience.id);
    if (isMember) return true;
    const isRemovalRead = recordId !== undefined && this.#read[index]?.has(recordId) === true;
    const hasAsked = this.isInTime && since < (this.#applied[index]?.get(whose) ?? 0);
    return !isRemovalRead && !hasAsked;
  }
}

/**
 * `isInTime`: whether every question is answered in time. `milliseconds`: until everybody has what they should have. Returns how
 * many streams ended.
 */
async function converge(
  steps: readonly Step[],
  delays: fc.Stream<Delays>,
  { isInTime, milliseconds }: { readonly isInTime: boolean; readonly milliseconds: number },
): Promise<number> {
  readers = await Promise.all(Array.from({ length: REPLICAS }, () => redis.connect()));
  const world = new World(delays, `effects${(histories += 1)}`, isInTime);
  try {
    await world.start();
    for (const one of steps) await world.take(one);
    await world.finish(milliseconds);
    expect(world.faults).toEqual([]);
    for (const { has, should } of world.held) expect(has).toEqual(should);
    expect(world.missed).toEqual([]);
    if (isInTime) expect([world.errors, world.ended]).toEqual([[], 0]);
    return world.ended;
  } finally {
    await world.end();
    await Promise.all(readers.map((reader) => reader.close()));
  }
}

describe(`effects of records that two replicas append (seed ${SEED})`, () => {
  it(
    'are what the database says within a second, in whatever order they are appended',
    async () => {
      const delays = fc.infiniteStream(fc.record({ before: fc.nat(10), after: fc.nat(10) }));
      await fc.assert(
        fc.asyncProperty(stepsOf(30), delays, (steps, answers) =>
          converge(steps, answers, { isInTime: true, milliseconds: 1000 }).then(() => undefined),
        ),
        { numRuns: RUNS, seed: SEED },
      );
    },
    DEADLINE_MS,
  );

  it(
    'are what the database says to those who come back, if it does not answer in time',
    async () => {
      const delay = fc.constantFrom(0, 5, 100, 3000);
      const delays = fc.infiniteStream(fc.record({ before: delay, after: delay }));
      let ended = 0;
      await fc.assert(
        fc.asyncProperty(stepsOf(2000), delays, async (steps, answers) => {
          ended += await converge(steps, answers, { isInTime: false, milliseconds: 75_000 });
        }),
        { numRuns: RUNS, seed: SEED },
      );
      expect(ended).toBeGreaterThan(RUNS / 10);
    },
    DEADLINE_MS,
  );
});

describe('a stream that opens while others are reauthorized after a hole', () => {
  it('with rights that were read before, is asked about as well', async () => {
    const prefix = `opening${(histories += 1)}`;
    const reader = await redis.connect();
    const log = new RedisMessageLog({ commands, reader, prefix });
    const { accounts, connect, publisher, metrics } = await make({ log });
    const gates = Array.from({ length: 2 }, () => {
      let open: () => void = () => undefined;
      return { passed: new Promise<void>((resolve) => (open = resolve)), open: () => open() };
    });
    const [admission, round] = gates;
    await connect();
    accounts.gate = admission?.passed ?? Promise.resolve();
    const opening = connect({ credential: 't2' });
    await eventually('a question', () => accounts.asked === 2 || undefined);
    // The record of it is lost.
    accounts.organizations.delete('o');
    let isRound = false;
    accounts.onReauthorize = () => (isRound = true);
    accounts.gate = round?.passed ?? Promise.resolve();
    const keys = ['', ':criticals', ':doubles', ':ids', ':state'].map((rest) => `{${prefix}}:log${rest}`);
    await commands.send('', ['DEL', ...keys]);
    await eventually('a round', () => isRound || undefined);
    admission?.open();
    const { transport } = await opening;
    accounts.gate = Promise.resolve();
    round?.open();
    await eventually('a Resync', () => transport?.types.includes('Resync') || undefined);
    for (const message of [
      {
        type: 'StackChanged',
        message: { type: 'Stack', organization_id: 'o', change_type: 1, data: {} },
      } as const,
      { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } } as const,
    ])
      await publisher.publish(message);
    await eventually('the last', () => transport?.types.includes('SystemNotification') || undefined);
    expect(metrics.holes.flushed + metrics.holes.replaced).toBe(1);
    const types = transport?.types.filter((type) => type !== 'Resync');
    expect(types).toEqual(['Connected', 'SystemNotification']);
    await log.close();
    await reader.close();
  });
});
