import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Hole, LogRecord, StampedMessage } from '../log.js';
import { messageLogContract } from '../log.spec-kit.js';
import { eventually } from '../testing/index.js';
import type { RedisConnection } from './connection.js';
import { KeptJournal } from './kept-journal.spec-kit.js';
import { RedisMessageLog, type RedisMessageLogOptions } from './log.js';
import { Cable, RedisServer } from './redis-server.spec-kit.js';
import { Script } from './script.js';

let redis: RedisServer;
let commands: RedisConnection;
const readers: RedisConnection[] = [];
const logs: RedisMessageLog[] = [];
let prefixes = 0;
const newPrefix = (): string => `test${(prefixes += 1)}`;

beforeAll(async () => {
  redis = await RedisServer.start();
  commands = await redis.connect();
});
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
  await Promise.all(readers.splice(0).map((reader) => reader.close()));
});
afterAll(async () => {
  await commands.close();
  await redis.stop();
});

async function make(prefix: string, over: Partial<RedisMessageLogOptions> = {}): Promise<RedisMessageLog> {
  const reader = await redis.connect();
  readers.push(reader);
  const log = new RedisMessageLog({ commands, reader, prefix, ...over });
  logs.push(log);
  return log;
}

messageLogContract('RedisMessageLog', () => make(newPrefix()));

const message = (key: string, over: Partial<StampedMessage> = {}): StampedMessage => ({
  type: 'T',
  data: JSON.stringify({ type: 'T', message: { key } }),
  audience: [{ kind: 'organization', id: 'o' }],
  delivery: 'invalidation',
  key,
  ...over,
});
const critical = (key: string, over: Partial<StampedMessage> = {}): StampedMessage =>
  message(key, { delivery: 'critical', recordIds: [key], ...over });

/** Redis loses the log of a prefix. */
async function lose(prefix: string): Promise<void> {
  const keys = ['', ':criticals', ':doubles', ':ids', ':state'].map((rest) => `{${prefix}}:log${rest}`);
  await commands.send(keys[0] ?? '', ['DEL', ...keys]);
}

/** Reads a log, and remembers what it was handed. */
function follow(log: RedisMessageLog) {
  const read: (LogRecord | Hole)[] = [];
  log.follow({ record: (record) => void read.push(record), hole: (hole) => void read.push(hole) });
  const keys = () => read.map((one) => ('kind' in one ? one.kind : one.key));
  const until = (key: string) => eventually(`${key} in the log`, () => keys().includes(key) || undefined);
  const holes = () => read.filter((one) => 'kind' in one);
  return { read, keys, until, holes };
}

describe('a log that replicas share', () => {
  it('hands each of them every record, in one order, under the same cursors', async () => {
    const prefix = newPrefix();
    const both = [await make(prefix), await make(prefix)];
    for (const log of both) await log.open();
    const following = both.map(follow);
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => both[index % 2]?.append(message(String(index)))),
    );
    await both[0]?.append(message('last'));
    for (const { until } of following) await until('last');
    const [one, other] = following.map(({ read }) =>
      read.map((record) => 'cursor' in record && record.cursor),
    );
    expect(one).toHaveLength(301);
    expect(one).toEqual(other);
  });

  it('carries the whole stamp, and the message as the text that it was', async () => {
    const prefix = newPrefix();
    const [one, other] = [await make(prefix), await make(prefix)];
    await one.open();
    await other.open();
    const [own, others] = [follow(one), follow(other)];
    const key = 'k\u0000\u00e9';
    const sent = critical(key, {
      effect: { kind: 'e' },
      audience: [],
      data: '{"x":"\u2028 é\ud83d"}',
    });
    const cursor = await one.append(sent);
    await own.until(key);
    await others.until(key);
    expect(others.read[0]).toMatchObject({ ...sent, data: sent.data.toWellFormed(), cursor });
    expect(others.read[0]).not.toHaveProperty('appendedAt');
    expect(own.read[0]).toHaveProperty('appendedAt');
  });

  it('drops what it has already, by record id, and only what it has whole', async () => {
    const log = await make(newPrefix());
    await log.open();
    const { until, keys } = follow(log);
    const cursor = await log.append(critical('a'));
    expect(await log.append(critical('a'))).toBe(cursor);
    await log.append(message('b', { recordIds: ['b'] }));
    expect(await log.append(message('b', { recordIds: ['b'] }))).toBeUndefined();
    await log.append(message('merged', { recordIds: ['b', 'c'] }));
    await log.append(message('c', { recordIds: ['c'] }));
    await log.append(message('end'));
    await until('end');
    expect(keys()).toEqual(['a', 'b', 'merged', 'end']);
  });

  it('tells the journal what it has', async () => {
    const journal = new KeptJournal();
    const log = await make(newPrefix(), { journal });
    await log.open();
    follow(log);
    const cursor = await log.append(journal.record(critical('a')));
    await log.append(message('b', { recordIds: ['b', 'c'] }));
    await log.close();
    expect(journal.entries.map((entry) => [entry.recordId, entry.cursor])).toEqual([['a', cursor]]);
    expect(journal.removed).toEqual(['b', 'c']);
  });

  it('gives a replica that starts what it retains, from where it is complete', async () => {
    const prefix = newPrefix();
    const limits = { capacity: 5, criticalCapacity: 2 };
    const log = await make(prefix, limits);
    await log.open();
    const cursors: string[] = [];
    const append = async (one: StampedMessage) => cursors.push((await log.append(one)) ?? '');
    for (const key of ['c1', 'c2', 'c3']) await append(critical(key));
    for (const key of ['1', '2', '3', '4', '5', '6']) await append(message(key));
    const other = await make(prefix, limits);
    const { head, records, floor, criticalFloor, beginning } = await other.open();
    expect(records.map(({ key }) => key)).toEqual(['c2', 'c3', '2', '3', '4', '5', '6']);
    expect(records.map(({ cursor }) => cursor)).toEqual([...cursors.slice(1, 3), ...cursors.slice(4)]);
    expect([head.cursor, floor.cursor, criticalFloor.cursor]).toEqual([cursors[8], cursors[3], cursors[0]]);
    const offsets = [beginning, criticalFloor, ...records].map(({ offset }) => offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => (a < b ? -1 : 1)));
    expect(cursors.map((cursor) => other.locate(cursor))).toEqual(
      cursors.map((cursor) => log.locate(cursor)),
    );
  });

  it('retains large records by their weight, and never less than the last', async () => {
    const prefix = newPrefix();
    const log = await make(prefix, { capacity: 5 });
    await log.open();
    for (const key of ['1', '2', '3']) await log.append(message(key));
    await log.append(message('large', { data: 'x'.repeat(4096 * 3) }));
    const other = await make(prefix, { capacity: 5 });
    expect((await other.open()).records.map(({ key }) => key)).toEqual(['3', 'large']);
    await log.append(message('huge', { data: 'x'.repeat(4096 * 9) }));
    const third = await make(prefix, { capacity: 5 });
    expect((await third.open()).records.map(({ key }) => key)).toEqual(['huge']);
  });

  it('drops critical records that are too old', async () => {
    const prefix = newPrefix();
    const log = await make(prefix, { criticalRetentionSeconds: 0.2, capacity: 1 });
    await log.open();
    await log.append(critical('old'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await log.append(critical('new'));
    const other = await make(prefix);
    expect((await other.open()).records.map(({ key }) => key)).toEqual(['new']);
  });
});

describe('a hole', () => {
  /** A log that was read up to `before`, on a server of its own. Its reader can be cut off. */
  async function begun(over: Partial<RedisMessageLogOptions> = {}) {
    const own = await RedisServer.start();
    const cable = await Cable.to(own.port);
    const errors: string[] = [];
    const onError = (_error: unknown, doing: string) => void errors.push(doing);
    const ownCommands = await own.connect();
    const reader = await own.connect(undefined, cable.port);
    const log = new RedisMessageLog({ commands: ownCommands, reader, prefix: 'p', onError, ...over });
    await log.open();
    await log.append(message('before'));
    const following = follow(log);
    await following.until('before');
    const readers: (readonly [RedisMessageLog, RedisConnection])[] = [[log, reader]];
    /** Another replica, which is neither paused nor cut off. */
    const another = async () => {
      const otherReader = await own.connect();
      const other = new RedisMessageLog({ commands: ownCommands, reader: otherReader, prefix: 'p', ...over });
      readers.push([other, otherReader]);
      const start = await other.open();
      return { log: other, start, ...follow(other) };
    };
    const back = () => eventually('the connection', () => ownCommands.isReady || undefined);
    const end = async () => {
      await Promise.all(readers.map(([one]) => one.close()));
      await Promise.all([ownCommands, ...readers.map(([, one]) => one)].map((one) => one.close()));
      await cable.stop();
      await own.stop();
    };
    return { own, cable, commands: ownCommands, log, errors, another, back, end, ...following };
  }

  it('is none, if Redis was away for a while and has lost nothing', async () => {
    const { own, log, keys, until, errors, back, end } = await begun();
    await own.kill();
    await eventually('an error', () => errors.includes('reading the log') || undefined);
    expect(log.lag.seconds).toBeGreaterThan(0);
    await expect(log.append(message('lost'))).rejects.toThrow();
    await own.start('kept');
    await back();
    await log.append(message('after'));
    await until('after');
    expect(keys()).toEqual(['before', 'after']);
    expect(log.lag).toEqual({ records: 0, seconds: 0 });
    await end();
  });

  it('is found without a record when the log was flushed; the journal refills it, under the ids that clients know', async () => {
    const journal = new KeptJournal();
    const { commands, log, holes, until, read, keys, another, end } = await begun({ journal });
    const cursor = await log.append(journal.record(critical('c')));
    await until('c');
    journal.record(critical('unsent'));
    await commands.send('', ['FLUSHALL']);
    await until('flushed');
    expect(holes()[0]).toMatchObject({ isComplete: true });
    const refilled = [
      ['c', cursor],
      ['unsent', undefined],
    ];
    expect(holes()[0]?.criticals.map(({ key, id }) => [key, id])).toEqual(refilled);
    await log.append(message('after'));
    await until('after');
    expect(keys()).toEqual(['before', 'c', 'flushed', 'after']);
    const offsets = read.map((one) => ('kind' in one ? one.position.offset : one.offset));
    expect(offsets).toEqual([...offsets].sort((a, b) => (a < b ? -1 : 1)));
    expect(log.locate(cursor ?? '')).toBe('lost');
    const later = await another();
    expect(later.start.records.map(({ key, id }) => [key, id])).toEqual([...refilled, ['after', undefined]]);
    expect(later.log.locate(cursor ?? '')).toBe('lost');
    await end();
  });

  it('is not complete, if the journal has more than the log retains', async () => {
    const journal = new KeptJournal();
    const { commands, log, holes, until, end } = await begun({ journal, criticalCapacity: 2 });
    for (const key of ['1', '2', '3']) await log.append(journal.record(critical(key)));
    await until('3');
    await commands.send('', ['FLUSHALL']);
    await until('flushed');
    expect(holes()[0]).toMatchObject({ isComplete: false, criticals: [{ key: '2' }, { key: '3' }] });
    await end();
  });

  it('is found when another log stands there, with records of its own, and nobody knows what was lost', async () => {
    const { own, cable, another, log, until, holes, back, end } = await begun();
    cable.cut();
    await own.kill();
    await own.start('lost');
    await back();
    const theirs = await another();
    await theirs.log.append(critical('theirs'));
    cable.mend();
    await until('replaced');
    expect(holes()[0]).toMatchObject({ isComplete: false });
    expect(holes()[0]?.criticals.map(({ key }) => key)).toEqual(['theirs']);
    await log.append(message('after'));
    await until('after');
    await theirs.until('after');
    expect([holes().length, theirs.holes().length]).toEqual([1, 0]);
    await end();
  });

  it.each(['by itself', 'by the next record'])(
    'is found when the last entries are gone, %s, also by a replica that has lost none',
    async (how) => {
      const { own, log, until, holes, another, cable, back, end } = await begun();
      own.backUp();
      const { log: other, ...others } = await another();
      cable.cut();
      await other.append(message('gone'));
      await others.until('gone');
      await own.restore();
      await back();
      if (how === 'by the next record') await other.append(message('next'));
      await eventually('a hole', () => others.holes()[0]);
      cable.mend();
      await eventually('a hole of the other', () => holes()[0]);
      await log.append(message('after'));
      await until('after');
      await others.until('after');
      const kinds = [...holes(), ...others.holes()].map(({ kind }) => kind);
      expect(kinds.sort()).toEqual(['replaced', 'went_back']);
      // Its cursors no longer resume, on any replica.
      const third = await another();
      expect(third.start.beginning.cursor).toBe(others.holes()[0]?.position.cursor);
      await end();
    },
  );

  it('is found when the last entries are gone before anybody has read them', async () => {
    const { own, cable, log, until, keys, back, end } = await begun();
    own.backUp();
    cable.cut();
    await log.append(message('gone'));
    await own.restore();
    await back();
    cable.mend();
    await until('went_back');
    await log.append(message('after'));
    await until('after');
    expect(keys()).toEqual(['before', 'went_back', 'after']);
    await end();
  });

  it('is found when the log has dropped what a reader was cut off from; the critical ones come', async () => {
    const { cable, log, until, holes, keys, another, end } = await begun({
      capacity: 3,
      criticalCapacity: 2,
    });
    cable.cut();
    const cursor = await log.append(critical('c'));
    for (let index = 1; index <= 5; index += 1) await log.append(message(String(index)));
    cable.mend();
    await until('5');
    expect(keys()).toEqual(['before', 'trimmed', '3', '4', '5']);
    expect(holes()[0]).toMatchObject({ isComplete: true, criticals: [{ key: 'c', cursor }] });
    expect(log.locate(cursor ?? '')).toBe(holes()[0]?.criticals[0]?.offset);
    // The log itself has lost nothing: the others go on as before.
    expect((await another()).start.records.map(({ key }) => key)).toEqual(['c', '3', '4', '5']);
    cable.cut();
    for (const key of ['d', 'e', 'f']) await log.append(critical(key));
    await log.append(message('6'));
    cable.mend();
    await until('6');
    expect(holes()[1]).toMatchObject({ isComplete: false });
    await end();
  });

  it('is found in the middle of the log', async () => {
    const { commands, cable, log, until, keys, end } = await begun();
    cable.cut();
    await log.append(message('1'));
    const cursor = await log.append(message('2'));
    await log.append(message('3'));
    await commands.send('', ['XDEL', '{p}:log', cursor?.slice(9) ?? '']);
    cable.mend();
    await until('broken');
    await log.append(message('after'));
    await until('after');
    expect(keys()).toEqual(['before', 'broken', 'after']);
    await end();
  });

  it('waits for the journal, so that nothing critical is missing behind it', async () => {
    const journal = new KeptJournal();
    const { commands, log, until, holes, keys, errors, end } = await begun({ journal });
    await log.append(journal.record(critical('c')));
    await until('c');
    const criticals = journal.criticals.bind(journal);
    journal.criticals = () => Promise.reject(new Error('the database is away'));
    await commands.send('', ['FLUSHALL']);
    await eventually('an error', () => errors.includes('going on after a hole in the log') || undefined);
    expect(holes()).toEqual([]);
    journal.criticals = criticals;
    await until('flushed');
    expect(holes()[0]?.criticals.map(({ key }) => key)).toEqual(['c']);
    expect(keys()).toEqual(['before', 'c', 'flushed']);
    await end();
  });
});

it('does not stop at an entry that it cannot read', async () => {
  const prefix = newPrefix();
  const errors: string[] = [];
  const log = await make(prefix, { onError: (_error, doing) => errors.push(doing) });
  await log.open();
  const { until, keys } = follow(log);
  await log.append(message('a'));
  const log2 = `{${prefix}}:log`;
  const [epoch, last] = (await commands.send(log2, ['HMGET', `${log2}:state`, 'epoch', 'last'])) as string[];
  const id = String(
    await commands.send(log2, ['XADD', log2, '*', 'h', `${last} ${epoch} 2 1`, 's', 'no json']),
  );
  await commands.send(log2, ['HSET', `${log2}:state`, 'last', id, 'number', '2']);
  await log.append(message('b'));
  await until('b');
  expect(keys()).toEqual(['a', 'b']);
  expect(errors).toEqual([`reading entry ${id} of the log`]);
});

it('is filled anew if it is lost again while it is filled', async () => {
  const prefix = newPrefix();
  const journal = new KeptJournal();
  const log = await make(prefix, { journal });
  await log.open();
  const { read, until } = follow(log);
  await log.append(journal.record(critical('a')));
  await until('a');
  let losses = 0;
  const criticals = journal.criticals.bind(journal);
  let later: Promise<unknown> = Promise.resolve();
  journal.criticals = async (most) => {
    const known = [...(await criticals(most))];
    if ((losses += 1) > 1) return known;
    later = log.append(journal.record(critical('b')));
    await lose(prefix);
    return known;
  };
  await lose(prefix);
  await eventually(
    'b',
    () =>
      read.some((one) => ('kind' in one ? one.criticals : [one]).some(({ key }) => key === 'b')) || undefined,
  );
  await later;
});

it('refills a lost log before it takes anything new, so that nothing older pushes that out', async () => {
  const prefix = newPrefix();
  const limits = { journal: new KeptJournal(), criticalCapacity: 10 };
  const writers = [await make(prefix, limits), await make(prefix, limits)];
  const published = (name: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        writers[index % 2]?.append(limits.journal.record(critical(`${name} ${index}`))),
      ),
    );
  for (const log of writers) await log.open();
  const { read, until } = follow(await make(prefix, limits).then(async (log) => (await log.open(), log)));
  await published('old', 300);
  await until('old 299');
  await lose(prefix);
  await published('new', 3);
  const heard = () => read.flatMap((one) => ('kind' in one ? one.criticals : [one])).map(({ key }) => key);
  await eventually(
    'what is new',
    () => heard().filter((key) => key?.startsWith('new')).length === 3 || undefined,
  );
  const { records } = await (await make(prefix, limits)).open();
  expect(records.slice(-3).every(({ key }) => key?.startsWith('new'))).toBe(true);
});

it('hands a critical message on under one id, also if Redis loses it and it is appended again at once', async () => {
  const prefix = newPrefix();
  const journal = new KeptJournal();
  const [writer, reader] = [await make(prefix, { journal }), await make(prefix, { journal })];
  await writer.open();
  await reader.open();
  const { read, until } = follow(reader);
  const sent = journal.record(critical('a'));
  const cursor = await writer.append(sent);
  await until('a');
  await lose(prefix);
  // By a relay that had read its row before its cursor was recorded.
  const again = await writer.append(sent);
  expect(again).not.toBe(cursor);
  await until('replaced');
  const hole = read.find((one) => 'kind' in one);
  expect(hole?.criticals.map(({ id, cursor: at }) => [id, at])).toEqual([[cursor, again]]);
});

it('can be opened and read when Redis is full, and takes messages once it has room', async () => {
  const server = await RedisServer.start('--maxmemory', '4mb', '--maxmemory-policy', 'noeviction');
  const own = await server.connect();
  const connected = async () => {
    const reader = await server.connect();
    readers.push(reader);
    return { commands: own, reader };
  };
  const one = await make('full', await connected());
  await one.open();
  await one.append(critical('before'));
  await own.send('fill', ['SETRANGE', 'fill', String(4 * 1024 * 1024), 'x']);
  const other = await make('full', await connected());
  expect((await other.open()).records.map(({ key }) => key)).toEqual(['before']);
  expect(await other.newest()).toBe(await one.newest());
  const empty = await make('empty', await connected());
  expect((await empty.open()).records).toEqual([]);
  await expect(other.append(message('refused'))).rejects.toThrow('Redis has used up its maxmemory');
  // A hole is found, and gone behind, as ever.
  const { until } = follow(one);
  const replace = new Script(`#!lua flags=allow-oom\nreturn redis.call('HSET', KEYS[1], 'epoch', 'another')`);
  await own.run(replace, ['{full}:log:state'], []);
  await until('replaced');
  await own.send('fill', ['DEL', 'fill']);
  await other.append(message('after'));
  await until('after');
  await Promise.all(logs.splice(0).map((log) => log.close()));
  own.close();
  await server.stop();
});
