import { randomInt } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Choices, eventually, WsProbe, SseProbe, type Probe } from '@crossfade/protocol/testing';
import { newDatabase, RedisHost, runSql } from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Fleet, leaseKeys } from './fleet.ts';

/*
 * An owner with ten places never has eleven leases, whatever happens to three real gateways while a thousand streams are
 * asked for.
 */

const LIMIT = 10;
const ATTEMPTS = 1000;
const AT_ONCE = 100;
const HEARTBEAT_MS = 1000;
/** A lease counts for so long after the last heartbeat of who holds it. */
const DEAD_AFTER_MS = 3 * HEARTBEAT_MS;
const ANSWER_MS = 5000;
/** How long streams are held. Some outlive the leases of a replica that is stopped. */
const HELD_MS = 300;
const LONG_HELD_MS = 6000;
const LONG_EVERY = 12;
/** Streams of the replica that is stopped, which stay as long as it lets them. */
const STAYING = 5;
/** Every so many attempts, one asks for the lease of an open stream. */
const REPLACES_EVERY = 5;
/** Looks of one run of redis-cli, and seconds between them. */
const LOOKS = ['-r', '20', '-i', '0.02'];
const SEED = Number(process.env['LEASES_SEED'] ?? randomInt(2 ** 31));

/** Whether an incarnation's leases count, by the clock of Redis. Keys: leases of the owner, heartbeats. Argument: `DEAD_AFTER_MS`. */
const COUNTS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function counts(incarnation)
  local beat = incarnation and redis.call('ZSCORE', KEYS[2], incarnation)
  return beat and now - tonumber(beat) < tonumber(ARGV[1])
end`;
/**
 * In one look: how many leases of an owner count. Its budget of streams a minute begins anew, so that the attempts reach the
 * leases. Third key: the budget.
 */
const LOOK = `${COUNTS}
local count = 0
for _, incarnation in ipairs(redis.call('HVALS', KEYS[1])) do
  if counts(incarnation) then count = count + 1 end
end
redis.call('DEL', KEYS[3])
return count`;
/** Whether a connection has a lease that counts. Second argument: the connection. */
const HAS_LEASE = `${COUNTS}
return counts(redis.call('HGET', KEYS[1], ARGV[2])) and 1 or 0`;

let redis: RedisHost;
let fleet: Fleet;
let userId: string;
beforeAll(async () => {
  redis = await RedisHost.start();
  const databaseUrl = newDatabase(inject('postgresPort'));
  fleet = await Fleet.start(3, {
    databaseUrl,
    redis,
    env: {
      PUSH_HEARTBEAT_SECONDS: String(HEARTBEAT_MS / 1000),
      PUSH_MAX_CONNECTIONS_PER_USER: String(LIMIT),
    },
  });
  userId = runSql(databaseUrl, `SELECT id FROM users WHERE email = 'member@crossfade.test'`).trim();
  // A session for each attempt: a replica repeats a refusal to the same token from memory.
  runSql(
    databaseUrl,
    `INSERT INTO tokens (hash, kind, user_id)
     SELECT encode(sha256(('attempt-' || number)::bytea), 'hex'), 'login', '${userId}'
     FROM generate_series(0, ${ATTEMPTS - 1}) AS number`,
  );
});
afterAll(async () => {
  await fleet.stop();
  await redis.stop();
});

const HEARTBEATS = '{crossfade}:replicas';
const leasesOf = (user: string): string => `{crossfade}:lease:user:${user}`;

const idOf = ({ received }: Probe): string =>
  (received[0]?.message as { connection_id: string } | undefined)?.connection_id ?? '';

/** Opens a stream; or says that it was refused for the limit, or otherwise got none. */
async function open(
  transport: 'SSE' | 'WebSocket',
  url: string,
  token: string,
  query: Readonly<Record<string, string>>,
): Promise<Probe | 'limit' | 'none'> {
  if (transport === 'SSE') {
    const opening = SseProbe.open(url, { token, query }).catch(() => undefined);
    const probe = await Promise.race([opening, wait(ANSWER_MS)]);
    if (probe === undefined) void opening.then((late) => late?.close());
    if (probe?.response.status === 200) return probe;
    probe?.close();
    return probe?.response.status === 429 ? 'limit' : 'none';
  }
  const probe = new WsProbe(url, { token, query });
  await eventually(
    'an answer',
    () => probe.received.length > 0 || probe.closed !== undefined || undefined,
    ANSWER_MS,
  ).catch(() => undefined);
  if (probe.received.length > 0) return probe;
  probe.close();
  return probe.status === 429 ? 'limit' : 'none';
}

it(`an owner never has more leases than places, with ${ATTEMPTS} attempts while replicas are killed, stopped and woken (seed ${SEED})`, async () => {
  const choices = new Choices(SEED);
  const streams = new Map<Probe, string>();
  const outcomes = { opened: 0, limit: 0, none: 0 };
  let next = 0;

  const attempt = async (index: number): Promise<void> => {
    // One that is stopped is asked, too.
    const there = fleet.replicas.filter(({ isUp }) => isUp);
    const replica = there[choices.below(there.length)];
    const [replaced] = index % REPLACES_EVERY === 0 ? [...streams.values()].slice(choices.below(LIMIT)) : [];
    const query = { client: 'test/1', ...(replaced === undefined ? {} : { replaces: replaced }) };
    const transport = index % 2 === 0 ? 'SSE' : 'WebSocket';
    const probe = await open(transport, replica?.url ?? '', `attempt-${index}`, query);
    if (typeof probe === 'string') {
      outcomes[probe] += 1;
      // At a limit, a client waits before it asks again.
      return void (await wait(HELD_MS * choices.chance() * 2));
    }
    outcomes.opened += 1;
    const id = idOf(probe);
    if (id !== '') streams.set(probe, id);
    await wait(index % LONG_EVERY === 0 ? LONG_HELD_MS : HELD_MS * choices.chance() * 2);
    streams.delete(probe);
    probe.close();
  };
  const work = async (): Promise<void> => {
    while (next < ATTEMPTS) await attempt(next++);
  };

  const seen: number[] = [];
  let isOver = false;
  const watch = async (): Promise<void> => {
    const owner = `user:${userId}`;
    const keys = [leasesOf(userId), HEARTBEATS, `crossfade:limit:connects:${owner}`];
    const look = ['EVAL', LOOK, String(keys.length), ...keys, String(DEAD_AFTER_MS)];
    while (!isOver) seen.push(...(await redis.run(...LOOKS, ...look)).split('\n').map(Number));
  };
  const [stopped, killed] = fleet.replicas;
  const staying: SseProbe[] = [];
  while (staying.length < STAYING) {
    const probe = await SseProbe.open(stopped?.url ?? '', {
      token: `attempt-${next++}`,
      query: { client: 'test/1' },
    });
    await probe.message('Connected');
    staying.push(probe);
  }
  const watching = watch();
  const working = Promise.all(Array.from({ length: AT_ONCE }, work));

  await wait(HEARTBEAT_MS);
  stopped?.pause();
  await killed?.kill();
  await wait(DEAD_AFTER_MS + HEARTBEAT_MS);
  stopped?.resume();
  const isLeaseless = async (probe: SseProbe): Promise<boolean> => {
    const given = [leasesOf(userId), HEARTBEATS, String(DEAD_AFTER_MS), idOf(probe)];
    return !probe.ended && (await redis.run('EVAL', HAS_LEASE, '2', ...given)).trim() === '0';
  };
  await eventually('an end of every stream that has no lease', async () => {
    const leaseless = await Promise.all(staying.map(isLeaseless));
    return leaseless.includes(true) ? undefined : true;
  });
  const ended = staying.filter((probe) => probe.ended).length;
  await killed?.startAgain();
  await working;
  isOver = true;
  await watching;
  for (const probe of staying) probe.close();

  console.log(
    `Attempts: ${JSON.stringify(outcomes)}; ${seen.length} looks, the highest ${Math.max(...seen)}; ${ended} of ${STAYING} streams of the replica that was stopped ended`,
  );
  expect(Math.max(...seen)).toBe(LIMIT);
  expect(seen.filter((count) => !Number.isInteger(count))).toEqual([]);
  expect(seen.length).toBeGreaterThan(100);
  expect(outcomes.opened).toBeGreaterThan(LIMIT * 2);
  expect(outcomes.limit).toBeGreaterThan(LIMIT * 2);
  expect(fleet.endedByThemselves()).toEqual([]);
  await eventually('no lease', async () => (await leaseKeys(redis)).length === 0 || undefined);
});
