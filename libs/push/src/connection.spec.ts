import { describe, expect, it } from 'vitest';
import { QUEUE_CHARACTERS } from './backpressure.js';
import { Connection } from './connection.js';
import { PositionFrame, type LoggedFrame } from './frame.js';
import { PushMetrics } from './metrics.js';
import {
  at,
  connectionParts,
  envelopeOf,
  logged,
  ScriptedTransport,
  settled,
  testEnvironment,
} from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

function open(capacity = 3, types?: ReadonlySet<string>, knowsResync = true) {
  const transport = new ScriptedTransport();
  const clock = new VirtualClock();
  const advance = (milliseconds: number): void => clock.advance(milliseconds);
  const ended: string[] = [];
  const waited: (number | undefined)[] = [];
  const { init, parts, window } = connectionParts({
    transport,
    environment: testEnvironment({
      clock,
      metrics: Object.assign(new PushMetrics(), {
        waited: (appendedAt: number | undefined) => waited.push(appendedAt),
      }),
    }),
    limits: { messages: capacity, characters: QUEUE_CHARACTERS },
    types,
    knowsResync,
    releaseLease: () => ended.push('released'),
    onClose: () => ended.push('closed'),
  });
  const connection = new Connection(init, parts);
  /** As delivery does it. */
  const publish = (...frames: LoggedFrame[]): void => {
    for (const frame of frames) {
      window.push(frame);
      connection.deliver(frame);
    }
  };
  return { connection, transport, advance, ended, waited, window, publish };
}

const frame = (offset: number) => logged(offset, { type: `T${offset}` });
const frames = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => frame(first + index));

describe('a connection', () => {
  it('writes what arrives in one turn in one write, and knows its position', async () => {
    const { connection, transport, publish } = open();
    publish(frame(1), frame(2));
    expect(transport.written).toEqual([]);
    await settled();
    expect(transport.written.map((written) => written.map(({ id }) => id))).toEqual([['1', '2']]);
    expect(connection.position.cursor).toBe('2');
  });

  it('writes nothing while the socket takes no bytes, and goes on when it does', async () => {
    const { connection, transport, publish } = open();
    transport.writable = false;
    publish(frame(1));
    await settled();
    expect(transport.written).toEqual([]);
    expect(connection.position.cursor).toBe('0');
    transport.drain();
    expect(transport.types).toEqual(['T1']);
  });

  it('falls behind when the queue is full and the socket takes nothing, holds nothing, and catches up', async () => {
    const { connection, transport, publish } = open(2);
    transport.writable = false;
    publish(...frames(1, 20));
    expect([connection.isLive, connection.waiting]).toEqual([false, 0]);
    transport.drain();
    await settled();
    for (let turn = 0; turn < 10; turn += 1) await settled();
    expect(transport.types).toEqual(frames(1, 20).map(({ record }) => record.type));
    expect(connection.isLive).toBe(true);
    publish(frame(21));
    await settled();
    expect(transport.types.at(-1)).toBe('T21');
  });

  it('takes a burst that is larger than the queue, as long as the socket takes it', async () => {
    const { transport, publish, connection } = open(2);
    publish(...frames(1, 5));
    await settled();
    expect(transport.types).toEqual(['T1', 'T2', 'T3', 'T4', 'T5']);
    expect(connection.isLive).toBe(true);
  });

  it('says Resync once when the window has moved on, then the critical messages, then the head, then goes on', async () => {
    const { connection, transport, publish } = open(2);
    transport.writable = false;
    publish(logged(1, { type: 'Critical', delivery: 'critical' }), ...frames(2, 200));
    transport.drain();
    for (let turn = 0; turn < 10; turn += 1) await settled();
    expect(transport.written.flat().map((frame) => [frame.id, envelopeOf(frame)?.type])).toEqual([
      ['0', 'Resync'],
      ['1', 'Critical'],
      ['200', undefined],
    ]);
    expect(envelopeOf(transport.frames[0])?.message).toMatchObject({
      reason: 'lagging',
      criticals: 'complete',
    });
    expect(connection.isLive).toBe(true);
  });

  it('says that critical messages are missing where the window lost some of them', async () => {
    const { transport, publish } = open(2);
    transport.writable = false;
    publish(
      ...frames(1, 150).map(({ record }) =>
        logged(Number(record.offset), { ...record, delivery: 'critical' }),
      ),
    );
    transport.drain();
    for (let turn = 0; turn < 60; turn += 1) await settled();
    const [resync, ...rest] = transport.frames;
    expect(resync?.id).toBe('50');
    expect(envelopeOf(resync)?.message).toMatchObject({ reason: 'lagging', criticals: 'truncated' });
    expect(rest.map(({ id }) => id)).toEqual(frames(51, 150).map(({ cursor }) => cursor));
  });

  it('ends where it would say Resync, if its client does not know that, and says nothing of it', async () => {
    const { connection, transport, publish, ended } = open(2, undefined, false);
    transport.writable = false;
    publish(logged(1, { type: 'Critical', delivery: 'critical' }), ...frames(2, 200));
    transport.drain();
    for (let turn = 0; turn < 10; turn += 1) await settled();
    expect([transport.types, transport.ended, ended]).toEqual([[], 'stale', ['closed', 'released']]);
    // Its next stream begins where this one was.
    expect(connection.position.cursor).toBe('0');
  });

  it.each([
    ['has missed a membership', (connection: Connection) => connection.confirm(1, true)],
    [
      'has passed by what is for an organization that it has after all',
      (connection: Connection) => {
        connection.refetchIfStillIn('o');
        connection.confirm(1);
      },
    ],
  ])('tells a client that it %s, or ends, after what waits', async (_why, act) => {
    for (const knowsResync of [true, false]) {
      const { connection, transport, publish } = open(3, undefined, knowsResync);
      publish(frame(1));
      await settled();
      publish(frame(2));
      act(connection);
      act(connection);
      await settled();
      expect([transport.types, transport.ended]).toEqual(
        knowsResync ? [expect.arrayContaining(['T1', 'Resync']), undefined] : [['T1', 'T2'], 'stale'],
      );
      expect(connection.position.cursor).toBe('2');
    }
  });

  it('does not end an old client that is only confirmed, or whose socket is slow, or that was told to move', async () => {
    const { connection, transport, publish, advance } = open(2, undefined, false);
    connection.confirm(1);
    transport.writable = false;
    publish(...frames(1, 20));
    transport.drain();
    for (let turn = 0; turn < 10; turn += 1) await settled();
    expect(transport.types).toHaveLength(20);
    connection.drain(500);
    advance(1499);
    expect(transport.ended).toBeUndefined();
    advance(1);
    connection.confirm(2, true);
    expect(transport.ended).toBe('draining');
  });

  it('hands the socket a bounded piece at a time', async () => {
    const { transport, publish } = open(64);
    publish(...Array.from({ length: 9 }, (_, index) => logged(index + 1, { data: 'x'.repeat(30_000) })));
    await settled();
    expect(Math.max(...transport.written.map((written) => written.length))).toBe(3);
    expect(transport.frames).toHaveLength(9);
  });

  it('sends only the types asked for, and control messages always, with its own position as their id', async () => {
    const { connection, transport, publish } = open(5, new Set(['T2']));
    publish(frame(1), frame(2));
    await settled();
    connection.resync('gap');
    await settled();
    expect(transport.frames.map((frame) => [frame.id, envelopeOf(frame)?.type])).toEqual([
      ['2', 'T2'],
      ['2', 'Resync'],
    ]);
  });

  it('writes what waits and its control message, then ends; and destroys a socket that does not take them', async () => {
    const { connection, transport, advance, ended, publish } = open();
    publish(frame(1));
    connection.close('revoked', 'gone');
    expect(ended).toEqual(['closed', 'released']);
    expect(new Set(transport.types)).toEqual(new Set(['T1', 'Revoked']));
    expect(transport.ended).toBe('revoked');
    advance(999);
    expect(transport.destroyed).toBe(false);
    advance(1);
    expect(transport.destroyed).toBe(true);
    await settled();
    expect(ended).toEqual(['closed', 'released']);
  });

  it('says nothing to a socket that takes nothing', () => {
    const { connection, transport } = open();
    transport.writable = false;
    connection.close('revoked', 'gone');
    expect(transport.written).toEqual([]);
    expect(transport.ended).toBe('revoked');
  });

  it('closes once, whoever closes it', () => {
    const { connection, transport, ended, advance } = open();
    connection.close('replaced');
    connection.close('revoked', 'gone');
    transport.close();
    advance(5000);
    expect(transport.ended).toBe('replaced');
    expect(transport.destroyed).toBe(false);
    expect(ended).toEqual(['closed', 'released']);
  });

  it('closes as slow when the socket has taken nothing for the stall time', () => {
    const { transport, ended } = open();
    transport.writable = false;
    transport.stall();
    expect(transport.ended).toBe('slow');
    expect(ended).toEqual(['closed', 'released']);
  });

  it('leaves when the client does, and writes nothing more', async () => {
    const { transport, ended, publish } = open();
    publish(frame(1));
    transport.close();
    await settled();
    expect(ended).toEqual(['closed', 'released']);
    expect(transport.written).toEqual([]);
    expect(transport.ended).toBeUndefined();
  });

  it('told to move, releases its lease at once, is still delivered to, and ends when its time is over', async () => {
    const { connection, transport, ended, advance, publish } = open();
    connection.drain(500);
    connection.drain(500);
    expect(ended).toEqual(['released']);
    publish(frame(1));
    await settled();
    expect(transport.types).toEqual(['Reconnect', 'T1']);
    advance(1499);
    expect(transport.ended).toBeUndefined();
    advance(1);
    expect(transport.ended).toBe('draining');
    expect(ended).toEqual(['released', 'closed']);
  });

  it('sends a keep-alive with the head, but not while anything waits', async () => {
    const { connection, transport, publish } = open();
    connection.keepAlive(new PositionFrame(at(7)));
    expect(connection.position.cursor).toBe('7');
    transport.writable = false;
    publish(frame(8));
    connection.keepAlive(new PositionFrame(at(9)));
    transport.writable = true;
    connection.keepAlive(new PositionFrame(at(9)));
    await settled();
    transport.pendingBytes = 1;
    connection.keepAlive(new PositionFrame(at(9)));
    expect(transport.keepAlives).toEqual(['7']);
  });

  it('sends a stream that is behind no keep-alive with a head that it has not reached', async () => {
    const { connection, transport, publish } = open(1);
    transport.writable = false;
    publish(...frames(1, 3));
    transport.writable = true;
    connection.keepAlive(new PositionFrame(at(3)));
    expect(transport.keepAlives).toEqual([undefined]);
    expect(connection.position.cursor).toBe('0');
  });

  it('measures each record that waited for the socket once, when the socket takes it', async () => {
    const { connection, transport, publish, waited } = open();
    publish(logged(1, { appendedAt: 1 }));
    await settled();
    expect(waited).toEqual([]);
    transport.writable = false;
    const data = 'x'.repeat(70_000);
    publish(...[2, 3].map((offset) => logged(offset, { appendedAt: offset, data })));
    await settled();
    // One write, and it is full again.
    transport.write = (frames) => {
      ScriptedTransport.prototype.write.call(transport, frames);
      transport.writable = false;
    };
    transport.drain();
    expect([waited, connection.waiting]).toEqual([[2], 1]);
    transport.drain();
    expect([waited, connection.waiting]).toEqual([[2, 3], 0]);
  });
});
