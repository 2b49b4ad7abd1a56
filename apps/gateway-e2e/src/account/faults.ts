import { setTimeout as wait } from 'node:timers/promises';
import type { Choices } from '@crossfade/protocol/testing';
import type { Replica } from '../fleet.ts';
import type { Departures } from './departures.ts';
import type { Installation } from './installation.ts';
import type { AccountPublisher } from './publisher.ts';

/** Whom a fault happens to, and who is there meanwhile. */
export interface Scene {
  readonly installation: Installation;
  readonly publisher: AccountPublisher;
  readonly departures: Departures;
  readonly choices: Choices;
}

/** Something that happens to an installation. It is over when it resolves. */
export interface Fault {
  readonly name: string;
  /** It lasts for so long, milliseconds, and others come and go meanwhile. */
  readonly lastsMs?: number;
  happen(scene: Scene): Promise<void>;
}

const FAULT_MS = 3000;
/** How long a stopped replica is stopped: its leases lapse, and others take over. */
const STOPPED_MS = 20_000;
/** How long what only some have read is published, or what nobody has. */
const MOMENT_MS = 1000;
/** The most messages of one request, which take a replica some time to append. */
const BATCH = 100;
const APPENDING_MS = 60;

/** What an account goes through. Each fault leaves the installation as it was. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'a replica is stopped',
    lastsMs: STOPPED_MS,
    async happen(scene) {
      const replica = oneOf(scene);
      replica.pause();
      await wait(STOPPED_MS);
      replica.resume();
    },
  },
  {
    name: 'a replica is killed while it appends',
    async happen(scene) {
      const replica = oneOf(scene);
      const publishing = scene.publisher.publish(BATCH, replica.url);
      await wait(scene.choices.below(APPENDING_MS));
      await replica.kill();
      await Promise.all([publishing, wait(FAULT_MS)]);
      await replica.startAgain();
    },
  },
  {
    name: 'a replica is cut off from Redis',
    async happen(scene) {
      const { cable } = oneOf(scene);
      if (scene.choices.below(2) === 0) cable.cut();
      else cable.lose();
      await wait(FAULT_MS);
      cable.mend();
    },
  },
  {
    name: 'Redis is killed, and keeps its data',
    async happen({ installation: { redis } }) {
      await redis.kill();
      await wait(FAULT_MS);
      await redis.start('kept');
    },
  },
  {
    // So it also loses what one replica had not read, and, with what was to tell of them, rights that end meanwhile.
    name: 'Redis is killed, and loses its data',
    async happen(scene) {
      const { redis, redisLostAt } = scene.installation;
      await scene.departures.ready();
      const { cable } = oneOf(scene);
      cable.cut();
      await wait(MOMENT_MS);
      await redis.kill();
      redisLostAt.push(Date.now());
      await wait(MOMENT_MS);
      await scene.departures.take();
      // Longer than a hole that is announced later can have been found earlier.
      await wait(FAULT_MS);
      await redis.start('lost');
      cable.mend();
    },
  },
  {
    name: 'Redis is paused',
    async happen({ installation: { redis, running }, publisher }) {
      const publishing = running.map(({ url }) => publisher.publish(BATCH, url));
      redis.pause();
      await wait(FAULT_MS);
      redis.resume();
      await Promise.all(publishing);
    },
  },
  {
    name: 'PostgreSQL is restarted',
    async happen({ installation: { postgres } }) {
      await postgres.end('SIGINT');
      await wait(MOMENT_MS);
      await postgres.startAgain();
    },
  },
  {
    name: 'rights end',
    async happen({ departures }) {
      await departures.take();
    },
  },
];

/** A replica that runs. */
function oneOf({ installation: { running }, choices }: Scene): Replica {
  const replica = running[choices.below(running.length)];
  if (replica === undefined) throw new Error('no replica runs');
  return replica;
}
