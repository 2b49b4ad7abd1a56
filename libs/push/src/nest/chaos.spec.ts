import 'reflect-metadata';
import { createHash, randomInt } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ChangeType, catalog } from '@crossfade/protocol/catalog';
import { Choices } from '@crossfade/protocol/testing';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import type { Offset } from '../log.js';
import { MemoryLeaseStore } from '../memory/lease-store.js';
import { MemoryMessageLog } from '../memory/log.js';
import type { Authentication, Authenticator, Principal } from '../principal.js';
import { PushPublisher } from '../publisher.js';
import { openStream, Wires, type OpenStream } from './chaos.spec-kit.js';
import { partsOf } from './push-app.spec-kit.js';
import { PushModule } from './push.module.js';
import { PushWsAdapter } from './push-ws.adapter.js';

/*
 * Hundreds of clients on real sockets, over wires that slow down to a byte a second, are reset and half-closed, while
 * tokens are revoked, memberships change and bursts are published. Then an exact account, client by client.
 */

const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 60);
const SEED = Number(process.env['CHAOS_SEED'] ?? randomInt(2 ** 31));
const CLIENTS = 300;
const USERS = 30;
/** Kept whole by everyone, and one that people join and leave. */
const STEADY = ['o0', 'o1', 'o2'];
const MOVING = 'moving';
/** Who is back within this time may be a member again when the record of the departure is read. */
const SOON_MS = 1000;
/** Longer than a message may wait to be merged with others. */
const CONFLATED_MS = 500;

/** Small: there are hundreds of thousands in a soak. */
interface Published {
  readonly offset: Offset;
  readonly cursor: string;
  /** Of what is equal, the hash. */
  readonly key: string;
  readonly isCritical: boolean;
  /** For whom it is, where that is not everyone. */
  readonly organization: string | undefined;
  readonly user: string | undefined;
}

class Accounts implements Authenticator {
  readonly revoked = new Set<string>();
  /** In `moving`: since when (milliseconds), and up to which record. */
  readonly stays = new Map<string, { from: number; to: Offset | undefined; until?: number }[]>();
  /** Who left `moving` and was soon back: a stream that was behind may have passed by critical messages, and says so. */
  readonly wereSoonBack = new Set<string>();

  isMoving(user: string): boolean {
    const last = this.stays.get(user)?.at(-1);
    return last !== undefined && last.to === undefined;
  }

  async authenticate(token: string): Promise<Authentication> {
    await pause(Math.random() * 5);
    return this.revoked.has(token)
      ? { outcome: 'unauthorized', detail: 'revoked' }
      : { outcome: 'authenticated', principal: this.principal(token) };
  }

  async reauthorize(principals: readonly Principal[]): Promise<(Principal | undefined)[]> {
    await pause(Math.random() * 5);
    return principals.map(({ tokenId }) => (this.revoked.has(tokenId) ? undefined : this.principal(tokenId)));
  }

  /** A token is `USER/NUMBER`. */
  principal(tokenId: string): Principal {
    const [userId = ''] = tokenId.split('/');
    return {
      userId,
      tokenId,
      organizationIds: new Set(this.isMoving(userId) ? [...STEADY, MOVING] : STEADY),
    };
  }
}

/**
 * A client that writes down what it hears: one as PROTOCOL.md wants it, or an old one, which knows neither cursors nor
 * `Resync`, and fetches whenever it is connected again.
 */
class Client {
  token: string;
  stream: OpenStream | undefined;
  cursor: string | undefined;
  isStopped = false;
  /** From where on it must hear of everything. */
  since: Offset | undefined;
  /** The cursors of critical messages. */
  heard = new Set<string>();
  /** The newest offset of each key. */
  newest = new Map<string, Offset>();
  refetched: Offset = -1n;
  readonly faults: string[] = [];
  truncated = 0;
  resyncs = 0;
  streams = 0;
  messages = 0;
  repeats = 0;
  #isResyncing = false;
  #last: Offset = -1n;

  constructor(
    readonly user: string,
    readonly transport: 'sse' | 'websocket',
    readonly isOld: boolean,
    number: number,
    private readonly world: World,
  ) {
    this.token = `${user}/${number}`;
  }

  async run(port: () => number): Promise<void> {
    while (!this.isStopped) {
      this.#last = -1n;
      this.#isResyncing = false;
      const { token, isOld, cursor } = this;
      const asked = { token, isOld, cursor: isOld ? undefined : cursor };
      const stream = openStream(this.transport, port(), asked, (id, envelope) => {
        if (this.stream === stream && this.token === token) this.#hear(id, envelope?.type, envelope?.message);
      });
      this.stream = stream;
      this.streams += 1;
      const status = await stream.ended;
      if (status === 401 && this.token === token) this.#startAnew();
      await pause(Math.random() * 200);
    }
    this.stream?.close();
  }

  /** Logs in again after its token was revoked: it fetches everything, and counts from its next stream on. */
  #startAnew(): void {
    this.token = `${this.user}/${this.world.nextToken()}`;
    Object.assign(this, { cursor: undefined, since: undefined, refetched: -1n });
    this.heard = new Set();
    this.newest = new Map();
  }

  #hear(id: string | undefined, type: string | undefined, message: unknown): void {
    if (id !== undefined) this.cursor = id;
    const offset = id === undefined ? undefined : this.world.log.locate(id);
    if (typeof offset !== 'bigint') return;
    if (type === 'Connected') {
      const { resumed } = message as { resumed: string };
      if (this.isOld && this.since !== undefined) this.refetched = offset;
      if (resumed === 'fresh') this.since ??= offset;
      return;
    }
    if (type === 'Resync') {
      if (this.isOld) this.faults.push(`Resync ${id} came to an old client`);
      this.resyncs += 1;
      this.#isResyncing = true;
      const isTruncated = (message as { criticals: string }).criticals === 'truncated';
      if (isTruncated && !this.world.accounts.wereSoonBack.has(this.user)) this.truncated += 1;
    }
    if (this.#isResyncing && offset > this.refetched) this.refetched = offset;
    if (type === undefined) this.#isResyncing = false;
    if (type === undefined || ['Resync', 'Reconnect', 'Revoked'].includes(type)) return;
    if (offset <= this.#last) this.faults.push(`${type} ${id} came after ${this.#last}`);
    this.#last = offset;
    this.messages += 1;
    const published = this.world.published.get(id ?? '');
    if (published === undefined) return void this.faults.push(`${type} ${id} was never published`);
    if (published.isCritical) {
      if (this.heard.has(published.cursor)) this.repeats += 1;
      this.heard.add(published.cursor);
    } else this.newest.set(published.key, offset);
    if (!this.#mayHear(published)) {
      this.faults.push(`${type} ${id} came to ${this.user}, who may not see it`);
    }
  }

  #mayHear({ offset, organization, user }: Published): boolean {
    if (user === this.user || (organization === undefined && user === undefined)) return true;
    if (organization !== MOVING) return organization !== undefined;
    const now = Date.now();
    return (this.world.accounts.stays.get(this.user) ?? []).some(
      ({ from, to }) => from <= now && (to === undefined || offset <= to),
    );
  }

  /** What it should have heard of before the last of these messages that it heard, and did not. */
  missing(lastWords: readonly string[]): string[] {
    const { since } = this;
    const last = this.world.published.get(lastWords.findLast((word) => this.heard.has(word)) ?? '');
    if (since === undefined || last === undefined) return ['never connected'];
    return [...this.world.published.values()]
      .filter(({ offset, organization }) => offset > since && organization !== MOVING)
      .filter(({ offset }) => offset <= last.offset)
      .filter(({ user }) => user === undefined || user === this.user)
      .filter(({ isCritical, cursor, offset, key }) =>
        isCritical
          ? !this.heard.has(cursor) && (!this.isOld || this.refetched < offset)
          : (this.newest.get(key) ?? -1n) < offset && this.refetched < offset,
      )
      .map(({ cursor, isCritical }) => `${isCritical ? 'critical' : 'invalidation'} ${cursor}`);
  }
}

class World {
  readonly accounts = new Accounts();
  readonly log = new MemoryMessageLog();
  readonly leases = new MemoryLeaseStore();
  readonly published = new Map<string, Published>();
  #tokens = CLIENTS;

  constructor() {
    const append = this.log.append.bind(this.log);
    this.log.append = async (stamped) => {
      // In this very turn, before anybody can have heard of it.
      const appended = append(stamped);
      const cursor = await appended;
      const offset = this.log.locate(cursor);
      if (typeof offset !== 'bigint') throw new Error(`not a offset: ${cursor}`);
      const of = (kind: 'organization' | 'user') =>
        stamped.audience.flatMap((one) => (one.kind === kind ? [one.id] : []))[0];
      this.published.set(cursor, {
        offset,
        cursor,
        key: createHash('sha1')
          .update(stamped.key ?? stamped.data)
          .digest('base64'),
        isCritical: stamped.delivery === 'critical',
        organization: of('organization'),
        user: of('user'),
      });
      return cursor;
    };
  }

  nextToken(): number {
    return this.#tokens++;
  }
}

it(
  `loses nothing and shows nothing to the wrong people in ${SECONDS} s of chaos (seed ${SEED})`,
  async () => {
    const world = new World();
    const choices = new Choices(SEED);
    const chance = () => choices.chance();
    const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(chance() * of.length)];
    const app: INestApplication = (
      await Test.createTestingModule({
        imports: [
          PushModule.forRootAsync({
            useFactory: () => ({
              catalog,
              authenticator: world.accounts,
              log: world.log,
              leases: world.leases,
              windowCapacity: 3000,
              criticalCapacity: 1_000_000,
              writeQueueCapacity: 16,
              keepAliveSeconds: 1,
              stallSeconds: 4,
              reauthorizeSeconds: 2,
              drainSeconds: 1,
              maxConnectionsPerOwner: CLIENTS,
              connectsPerMinute: 1_000_000,
              failuresPerMinute: 1_000_000,
            }),
          }),
        ],
      }).compile()
    ).createNestApplication({ logger: false });
    app.useWebSocketAdapter(new PushWsAdapter(app));
    await app.listen(0, '127.0.0.1');
    const wires = await Wires.to((app.getHttpServer().address() as AddressInfo).port);
    const publisher = app.get(PushPublisher);
    const clients = Array.from(
      { length: CLIENTS },
      (_, index) =>
        new Client(`u${index % USERS}`, index % 2 === 0 ? 'sse' : 'websocket', index % 3 === 0, index, world),
    );
    const running = clients.map((client) => client.run(() => wires.port));
    let behind = 0;

    const stack = (organization: string, id: number, size: number) =>
      publisher.publish({
        type: 'StackChanged',
        message: {
          type: 'Stack',
          id: String(id),
          organization_id: organization,
          change_type: id % 5 === 0 ? 2 : 1,
          data: size === 0 ? {} : { padding: 'x'.repeat(size) },
        },
      });
    const critical = (organization: string) =>
      publisher.publish({
        type: 'PlanOverage',
        message: { organization_id: organization, is_hourly: false },
      });
    const membership = async (user: string): Promise<void> => {
      const { accounts } = world;
      const stays = accounts.stays.get(user) ?? [];
      accounts.stays.set(user, stays);
      const last = stays.at(-1);
      const quits = last !== undefined && last.to === undefined;
      // Committed, then published.
      if (quits) Object.assign(last, { to: 2n ** 100n, until: Date.now() });
      else stays.push({ from: Date.now(), to: undefined });
      if (!quits && Date.now() - (last?.until ?? 0) < SOON_MS) accounts.wereSoonBack.add(user);
      const change = quits ? ChangeType.Removed : ChangeType.Added;
      await publisher.publish({
        type: 'UserMembershipChanged',
        message: { change_type: change, user_id: user, organization_id: MOVING },
      });
      if (quits) last.to = [...world.published.values()].at(-1)?.offset ?? 0n;
    };

    const some = (act: (client: Client) => void): void => {
      for (let many = Math.ceil(chance() * 8); many > 0; many -= 1) {
        const client = pick(clients);
        if (client !== undefined) act(client);
      }
    };
    const acts: readonly (readonly [number, () => Promise<unknown> | void])[] = [
      [20, () => stack(pick([...STEADY, MOVING]) ?? MOVING, Math.floor(chance() * 200), 0)],
      [
        3,
        async () => {
          const [organization, many, size] = [
            pick([...STEADY, MOVING]) ?? MOVING,
            chance() * 200,
            pick([0, 100, 500, 500, 8000]) ?? 0,
          ];
          for (let id = 0; id < many; id += 1) await stack(organization, id, size);
        },
      ],
      [4, () => critical(pick([...STEADY, MOVING]) ?? MOVING)],
      [1, () => publisher.publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } })],
      [6, () => some((client) => wires.of(client.stream?.port())?.slowDown())],
      [4, () => some((client) => wires.of(client.stream?.port())?.speedUp())],
      [6, () => some((client) => wires.of(client.stream?.port())?.reset())],
      [3, () => some((client) => wires.of(client.stream?.port())?.halfClose())],
      [6, () => some((client) => client.stream?.close())],
      [2, () => membership(`u${Math.floor(chance() * USERS)}`)],
      [
        1,
        () => {
          const token = pick(clients)?.token ?? '';
          world.accounts.revoked.add(token);
          const [user_id = ''] = token.split('/');
          return publisher.publish({
            type: 'TokenChanged',
            message: { type: 'Token', id: token, change_type: ChangeType.Removed, data: { user_id } },
          });
        },
      ],
    ];
    const total = acts.reduce((sum, [weight]) => sum + weight, 0);
    const until = Date.now() + SECONDS * 1000;
    let changing = Promise.resolve();
    while (Date.now() < until) {
      let left = chance() * total;
      const [, act] = acts.find(([weight]) => (left -= weight) < 0) ?? [0, () => undefined];
      // One at a time, so that the account knows the order of changes.
      changing = changing.then(async () => void (await act()));
      await changing;
      await pause(chance() * 10);
      const open = [...partsOf(app).hub.all()];
      behind += open.some(({ isLive }) => !isLive) ? 1 : 0;
    }

    // The wires get well, everybody comes back, and hears a last word. Who logs in anew may come too late for the first.
    for (const client of clients) wires.of(client.stream?.port())?.speedUp();
    await pause(CONFLATED_MS);
    const lastWords: string[] = [];
    const waiting = () => clients.filter(({ heard }) => !lastWords.some((word) => heard.has(word)));
    for (
      const late = Date.now() + 60_000;
      lastWords.length === 0 || waiting().length > 0;
      await pause(1000)
    ) {
      expect(Date.now(), `${waiting().length} clients never hear a last word`).toBeLessThan(late);
      await publisher.publish({ type: 'SystemNotification', message: { date: '2026-01-02T00:00:00Z' } });
      lastWords.push([...world.published.keys()].at(-1) ?? '');
    }

    const faults = clients.flatMap(({ token, faults }) => faults.map((fault) => `${token}: ${fault}`));
    const missing = clients.flatMap((client) =>
      client.missing(lastWords).map((what) => `${client.token}: ${what}`),
    );
    const sum = (count: (client: Client) => number) =>
      clients.reduce((all, client) => all + count(client), 0);
    console.log(
      `Chaos of ${SECONDS} s: ${world.published.size} messages, ${sum(({ messages }) => messages)} deliveries, ` +
        `${sum(({ streams }) => streams)} streams, ${sum(({ resyncs }) => resyncs)} resyncs, ` +
        `${sum(({ repeats }) => repeats)} repeats, behind in ${behind} looks, ` +
        `${partsOf(app).metrics.totals.closed.stale} ends instead of a Resync; ` +
        `lost: ${missing.length}; without the right: ${faults.length}`,
    );
    expect(faults.slice(0, 20)).toEqual([]);
    expect(missing.slice(0, 20)).toEqual([]);
    expect(sum(({ truncated }) => truncated)).toBe(0);
    expect(sum(({ resyncs }) => resyncs)).toBeGreaterThan(0);
    expect(behind).toBeGreaterThan(0);

    for (const client of clients) client.isStopped = true;
    for (const client of clients) client.stream?.close();
    await Promise.all(running);
    wires.close();
    const counts = () => [
      partsOf(app).hub.indexed,
      world.leases.count(),
      partsOf(app).keepAlive.size,
      partsOf(app).catchUp.size,
    ];
    await expect.poll(counts, { timeout: 10_000 }).toEqual([0, 0, 0, 0]);
    expect(partsOf(app).delivery.head.cursor).toBe(lastWords.at(-1));
    await app.close();
  },
  (SECONDS + 120) * 1000,
);
