import { user } from '@crossfade/protocol';
import { catalog } from '@crossfade/protocol/catalog';
import { describe, expect, it } from 'vitest';
import { request } from './admission.spec-kit.js';
import type { Journal } from './journal.js';
import { MemoryMessageLog } from './memory/log.js';
import type { PushOptions } from './options.js';
import type { Principal } from './principal.js';
import { createPush } from './push.js';
import { ScriptedTransport, settled } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

const authenticator = {
  authenticate: async (token: string) => ({
    outcome: 'authenticated' as const,
    principal: { userId: token, tokenId: token, organizationIds: new Set(['o']) },
  }),
};

function make(over: Partial<PushOptions> = {}) {
  const lines: string[] = [];
  const clock = new VirtualClock();
  const log = (line: string): void => void lines.push(line);
  const logger = { log, warn: log, error: log };
  const push = createPush({ catalog, authenticator, clock, logger, ...over });
  const connect = async (token = 'ann') => {
    const { signal } = new AbortController();
    const admitted = await push.parts.admission.admit(request({ credential: token }), signal);
    if (admitted.outcome !== 'admitted') return admitted;
    const transport = new ScriptedTransport();
    await push.parts.streams.open(admitted, transport, signal);
    await settled();
    return transport;
  };
  return { push, clock, lines, connect };
}

const announcement = { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } } as const;
async function opened(
  connect: ReturnType<typeof make>['connect'],
  token?: string,
): Promise<ScriptedTransport> {
  const transport = await connect(token);
  if (!(transport instanceof ScriptedTransport)) throw new Error('it was not admitted');
  return transport;
}

describe('push without a framework', () => {
  it('delivers, lists its connections, moves them when it drains, and closes what it holds', async () => {
    const { push, clock, connect, lines } = make();
    await push.start();
    const transport = await opened(connect);
    await push.publisher.publish(announcement);
    await settled();
    expect(transport.types).toEqual(['Connected', 'SystemNotification']);
    expect(push.connections.list()).toMatchObject([{ userId: 'ann', transport: 'sse' }]);
    const draining = push.drain();
    await clock.advanceAsync(100);
    expect(transport.types.at(-1)).toBe('Reconnect');
    expect(await connect('ben')).toMatchObject({ refusal: { reason: 'unavailable' } });
    await clock.advanceAsync(3000);
    await draining;
    await push.close();
    expect([push.parts.hub.indexed, push.connections.list().length]).toEqual([0, 0]);
    expect(lines.join('\n')).toContain('Moving 1 open streams to other replicas, over 20 s.');
    expect(lines.join('\n')).toContain('closed (draining) 1');
  });

  it('takes no message of a type that its catalog lacks, and says which it has', async () => {
    const own = { PlanChanged: catalog.PlanChanged, SystemNotification: catalog.SystemNotification };
    const { publisher } = createPush({ catalog: own, authenticator });
    await publisher.publish(announcement);
    const unknown = { type: 'StackChanged', message: {} } as never;
    await expect(publisher.publish(unknown)).rejects.toMatchObject({
      code: 'unknown_type',
      message: '"StackChanged" is not a type of the catalog, which has PlanChanged, SystemNotification',
    });
  });

  it('records positions in a journal that it is given, and refuses one beside a log', async () => {
    const recorded: string[] = [];
    const journal: Journal = {
      open: async () => ({ log: 'AAAAAAAA', generation: 3, floor: undefined, entries: [] }),
      recordPosition: async (recordId, { cursor }) => void recorded.push(`${recordId} ${cursor}`),
    };
    const { push } = make({ journal });
    await push.start();
    await push.publisher.send(push.publisher.prepare(announcement), 'r1');
    expect(recorded).toEqual(['r1 AAAAAAAA.3-1']);
    await push.close();
    expect(() => make({ journal, log: new MemoryMessageLog() })).toThrow(
      new RangeError('journal is for the default log; give it to your log, or leave log out'),
    );
  });

  it('logs what nobody else hears of, with its reason', async () => {
    const authenticate = () => Promise.reject(new Error('the database is away'));
    const { push, connect, lines } = make({ authenticator: { authenticate } });
    await push.start();
    expect(await connect()).toMatchObject({ refusal: { reason: 'unavailable' } });
    expect(lines).toContain('While admitting a stream: the database is away');
    await push.close();
  });
});

describe('credentials that nobody can be asked about', () => {
  const expiring = (expiresAt: number) => ({
    authenticate: async (token: string) => {
      const principal: Principal = { userId: token, tokenId: token, organizationIds: new Set(), expiresAt };
      return { outcome: 'authenticated' as const, principal };
    },
  });

  it('keep their streams until they expire, and no stream is suspended before', async () => {
    const { push, clock, connect } = make({ authenticator: expiring(3_600_000) });
    await push.start();
    const transport = await opened(connect);
    await clock.advanceAsync(3_590_000);
    await push.publisher.publish(announcement);
    await settled();
    expect(transport.types).toEqual(['Connected', 'SystemNotification']);
    await clock.advanceAsync(40_000);
    expect(transport.ended).toBe('unauthorized');
    await push.close();
  });

  it('cannot be confirmed, so no time may be set after which an unconfirmed stream ends', () => {
    expect(() => make({ authenticator: expiring(1), unconfirmedSeconds: 120 })).toThrow(
      new RangeError(
        'unconfirmedSeconds must be 0 or left out where the authenticator has no reauthorize, not 120',
      ),
    );
    expect(() => make({ authenticator: expiring(1), unconfirmedSeconds: 0 })).not.toThrow();
  });

  it('join and leave organizations as messages say, and end when they are revoked', async () => {
    const { push, connect } = make({ authenticator: expiring(3_600_000) });
    await push.start();
    const transport = await opened(connect);
    const member = { user_id: 'ann', organization_id: 'p' };
    const overage = { type: 'PlanOverage', message: { organization_id: 'p', is_hourly: true } } as const;
    await push.publisher.publish(overage);
    await push.publisher.publish({ type: 'UserMembershipChanged', message: { ...member, change_type: 0 } });
    await push.publisher.publish(overage);
    await push.publisher.publish({ type: 'UserMembershipChanged', message: { ...member, change_type: 2 } });
    await push.publisher.publish(overage);
    await settled();
    expect(transport.types.slice(1)).toEqual([
      'UserMembershipChanged',
      'PlanOverage',
      'UserMembershipChanged',
    ]);
    const token = { type: 'Token', id: 'ann', change_type: 2, data: { user_id: 'ann' } } as const;
    await push.publisher.publish({ type: 'TokenChanged', message: token });
    await settled();
    expect(transport.ended).toBe('revoked');
    await push.close();
  });

  it('must come back after an effect that only a newer replica knows', async () => {
    const { push, connect } = make({ authenticator: expiring(3_600_000) });
    await push.start();
    const transport = await opened(connect);
    await push.parts.log.append({
      type: 'New',
      data: '{}',
      audience: [user('ann')],
      delivery: 'critical',
      key: 'k',
      effect: { kind: 'new' },
    });
    await settled();
    expect(transport.ended).toBe('internal_error');
    await push.close();
  });
});
