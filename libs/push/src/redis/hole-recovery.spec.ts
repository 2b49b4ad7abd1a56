import { catalog } from '@crossfade/protocol/catalog';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { make } from '../admission.spec-kit.js';
import { envelopeOf, type ScriptedTransport } from '../scripted.spec-kit.js';
import { eventually } from '../testing/index.js';
import type { RedisConnection } from './connection.js';
import { KeptJournal } from './kept-journal.spec-kit.js';
import { RedisMessageLog } from './log.js';
import { Cable, RedisServer } from './redis-server.spec-kit.js';

let redis: RedisServer;
let commands: RedisConnection;
let prefixes = 0;
beforeAll(async () => {
  redis = await RedisServer.start();
  commands = await redis.connect();
});
afterAll(async () => {
  await commands.close();
  await redis.stop();
});

const announcement = { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } } as const;
const stackChanged = {
  type: 'StackChanged',
  message: { type: 'Stack', organization_id: 'o', change_type: 0, data: {} },
} as const;

/** Two replicas, on one log. */
async function replicas(journal?: KeptJournal) {
  const prefix = `holes${(prefixes += 1)}`;
  const cable = await Cable.to(redis.port);
  const one = await replica(redis.port);
  const other = await replica(cable.port);
  async function replica(port: number) {
    const reader = await redis.connect(undefined, port);
    const log = new RedisMessageLog({ commands, reader, prefix, journal });
    return { ...(await make({ catalog, log, limit: 10 })), log, reader };
  }
  return {
    one,
    other,
    /** Between the second one and the server. */
    cable,
    /** The server forgets the log. */
    flush: () =>
      Promise.all(
        ['', ':criticals', ':doubles', ':ids', ':state'].map((rest) =>
          commands.send(`{${prefix}}:log`, ['DEL', `{${prefix}}:log${rest}`]),
        ),
      ),
    end: async () => {
      for (const { log, reader } of [one, other]) {
        await log.close();
        await reader.close();
      }
      await cable.stop();
    },
  };
}

const types = (transport: ScriptedTransport | undefined, count: number): Promise<readonly string[]> =>
  eventually(`${count} frames`, () => {
    const heard = transport?.types ?? [];
    return heard.length >= count ? heard : undefined;
  });

describe('after a hole in the log', () => {
  it('every stream of every replica resyncs, and goes on', async () => {
    const { one, other, flush, end } = await replicas();
    const streams = [await one.connect(), await other.connect(), await other.connect({ knowsResync: false })];
    const [first, second, old] = streams.map(({ transport }) => transport);
    await one.publisher.publish(announcement);
    await types(second, 2);
    await flush();
    await types(first, 3);
    await types(second, 3);
    await one.publisher.publish(stackChanged);
    expect(await types(first, 4)).toEqual(['Connected', 'SystemNotification', 'Resync', 'StackChanged']);
    expect(await types(second, 4)).toEqual(['Connected', 'SystemNotification', 'Resync', 'StackChanged']);
    // Redis lost a critical message, and there is no journal that has it.
    expect(envelopeOf(second?.frames[2])?.message).toMatchObject({
      reason: 'log_lost',
      criticals: 'truncated',
    });
    expect([old?.types, old?.ended]).toEqual([['Connected', 'SystemNotification'], 'stale']);
    // The cursor from before it does not resume, on either replica.
    for (const replica of [one, other]) {
      const back = await replica.connect({ cursor: second?.frames[1]?.id });
      expect((await types(back.transport, 2)).slice(0, 2)).toEqual(['Connected', 'Resync']);
      expect(envelopeOf(back.transport?.frames[1])?.message).toMatchObject({ reason: 'log_lost' });
    }
    await end();
  });

  it('a client that moves while it gets the critical messages gets them all', async () => {
    const journal = new KeptJournal();
    const recorded = (key: string) => {
      const data = JSON.stringify({ type: 'SystemNotification', message: { date: key } });
      const audience = [{ kind: 'everyone' } as const];
      const stamp = { type: 'SystemNotification', delivery: 'critical', recordIds: [key] } as const;
      return journal.record({ ...stamp, audience, data });
    };
    const { one, other, cable, flush, end } = await replicas(journal);
    const { transport } = await other.connect();
    const witness = await one.connect();
    cable.cut();
    // One of them is in the first log only, and read by one replica only; the other one is in the second log only.
    recorded('late');
    await one.log.append(recorded('early'));
    await types(witness.transport, 2);
    await flush();
    cable.mend();
    const heard = await types(transport, 4);
    expect(heard).toEqual(['Connected', 'Resync', 'SystemNotification', 'SystemNotification']);
    expect(transport?.frames.slice(2, 4).map((frame) => envelopeOf(frame)?.message)).toEqual([
      { date: 'late' },
      { date: 'early' },
    ]);
    const back = await one.connect({ cursor: transport?.frames[2]?.id });
    await eventually(
      'the other one',
      () =>
        back.transport?.frames.some(
          (frame) => (envelopeOf(frame)?.message as { date?: string } | undefined)?.date === 'early',
        ) || undefined,
    );
    await end();
  });

  it('nobody is handed anything before everybody is reauthorized', async () => {
    const { one, other, flush, end } = await replicas();
    const revoked = await other.connect();
    const member = await other.connect({ credential: 'foreign' });
    // The record of it is lost with the log.
    other.accounts.isRevoked = true;
    let answer: () => void = () => undefined;
    other.accounts.gate = new Promise((resolve) => (answer = resolve));
    await flush();
    await eventually('a hole', () => other.metrics.holes.flushed + other.metrics.holes.replaced || undefined);
    await one.publisher.publish(stackChanged);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([revoked.transport?.types, member.transport?.types]).toEqual([['Connected'], ['Connected']]);
    answer();
    await eventually('the end', () => revoked.transport?.ended);
    expect(revoked.transport?.types).not.toContain('StackChanged');
    expect(revoked.transport?.ended).toBe('unauthorized');
    await end();
  });

  it('waits for an authenticator that does not answer, and asks it again', async () => {
    const { one, other, flush, end } = await replicas();
    const { transport } = await other.connect();
    const { accounts, clock, errors } = other;
    const fail = (): void => {
      throw new Error('the database is away');
    };
    accounts.onReauthorize = fail;
    await flush();
    await eventually('an error', () => errors[0]);
    expect(errors[0]).toBe('reauthorizing every stream after a hole in the log');
    await one.publisher.publish(stackChanged);
    await clock.advanceAsync(1000);
    expect(transport?.types).toEqual(['Connected']);
    accounts.onReauthorize = () => undefined;
    await eventually('the rest', async () => {
      await clock.advanceAsync(1000);
      return transport?.types.length === 3 || undefined;
    });
    expect(transport?.types).toEqual(['Connected', 'Resync', 'StackChanged']);
    await end();
  });
});

it('a revocation that one replica publishes closes the streams of another', async () => {
  const { one, other, end } = await replicas();
  const { transport } = await other.connect();
  await one.publisher.publish({
    type: 'TokenChanged',
    message: { type: 'Token', id: 't', change_type: 2, data: { user_id: 'u' } },
  });
  await eventually('the end', () => transport?.ended);
  expect([transport?.types, transport?.ended]).toEqual([['Connected', 'Revoked'], 'revoked']);
  await end();
});

it('a cursor that the other replica has not read yet resumes, too', async () => {
  const { one, other, cable, end } = await replicas();
  const { transport } = await one.connect();
  cable.cut();
  await one.publisher.publish(announcement);
  await types(transport, 2);
  const connecting = other.connect({ cursor: transport?.frames[1]?.id });
  await new Promise((resolve) => setTimeout(resolve, 50));
  cable.mend();
  const { transport: back } = await connecting;
  await types(back, 1);
  expect(envelopeOf(back?.frames[0])?.message).toMatchObject({ resumed: 'resumed' });
  await end();
});

it('a cursor of one replica resumes on the other', async () => {
  const { one, other, end } = await replicas();
  const { transport } = await one.connect();
  await other.publisher.publish(announcement);
  await types(transport, 2);
  transport?.close();
  await one.publisher.publish(stackChanged);
  const back = await other.connect({ cursor: transport?.frames[1]?.id });
  expect(await types(back.transport, 2)).toEqual(['Connected', 'StackChanged']);
  expect(envelopeOf(back.transport?.frames[0])?.message).toMatchObject({ resumed: 'resumed' });
  await end();
});
