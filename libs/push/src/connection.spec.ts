import { describe, expect, it } from 'vitest';
import { Connection } from './connection.js';
import { Frame } from './frame.js';
import { ScriptedTransport, manualClock, settled } from './scripted.spec-kit.js';

function open(capacity = 3, types?: ReadonlySet<string>) {
  const transport = new ScriptedTransport();
  const { clock, advance } = manualClock();
  const closed: string[] = [];
  const connection = new Connection({
    id: 'c',
    principal: { userId: 'u', tokenId: 't', organizationIds: new Set(['o']) },
    transport,
    client: 'test/1',
    types,
    position: 'p0',
    capacity,
    clock,
    onClose: ({ id }) => closed.push(id),
  });
  return { connection, transport, advance, closed };
}

const frame = (id: string, key?: string) => new Frame(id, { type: `T${id}`, message: {} }, key);

describe('a connection', () => {
  it('writes what arrives in one turn in one write, and knows its position', async () => {
    const { connection, transport } = open();
    connection.offer(frame('1'));
    connection.offer(frame('2'));
    expect(transport.written).toEqual([]);
    await settled();
    expect(transport.written.map((frames) => frames.map(({ id }) => id))).toEqual([['1', '2']]);
    expect(connection.position).toBe('2');
  });

  it('writes nothing while the socket takes no bytes, and goes on when it does', async () => {
    const { connection, transport } = open();
    transport.writable = false;
    connection.offer(frame('1'));
    await settled();
    expect(transport.written).toEqual([]);
    expect(connection.position).toBe('p0');
    transport.drain();
    expect(transport.types).toEqual(['T1']);
  });

  it('closes as slow when the queue is full and the socket takes nothing: nothing is dropped in silence', async () => {
    const { connection, transport, closed } = open(2);
    transport.writable = false;
    for (const id of ['1', '2', '3']) connection.offer(frame(id));
    expect(transport.ended).toBe('slow');
    expect(closed).toEqual(['c']);
    connection.offer(frame('4'));
    await settled();
    expect(transport.written).toEqual([]);
  });

  it('takes a burst that is larger than the queue, as long as the socket takes it', async () => {
    const { connection, transport } = open(2);
    for (const id of ['1', '2', '3', '4', '5']) connection.offer(frame(id));
    await settled();
    expect(transport.types).toEqual(['T1', 'T2', 'T3', 'T4', 'T5']);
    expect(transport.ended).toBeUndefined();
  });

  it('merges equal invalidations that wait', async () => {
    const { connection, transport } = open(2);
    transport.writable = false;
    for (const id of ['1', '2', '3']) connection.offer(frame(id, 'same'));
    transport.drain();
    expect(transport.types).toEqual(['T3']);
  });

  it('sends only the types asked for, and control messages always, with its own position as their id', async () => {
    const { connection, transport } = open(5, new Set(['T2']));
    connection.offer(frame('1'));
    connection.offer(frame('2'));
    await settled();
    connection.say('Resync', { reason: 'gap', delay_ms: 0, criticals: 'complete' });
    await settled();
    expect(transport.written.flat().map(({ id, envelope }) => [id, envelope.type])).toEqual([
      ['2', 'T2'],
      ['2', 'Resync'],
    ]);
  });

  it('says what waits, then goodbye, then ends; and destroys a socket that does not take it', async () => {
    const { connection, transport, advance, closed } = open();
    connection.offer(frame('1'));
    connection.close('revoked', { reason: 'gone' });
    expect(closed).toEqual(['c']);
    expect(transport.types).toEqual(['T1', 'Revoked']);
    expect(transport.ended).toBe('revoked');
    advance(999);
    expect(transport.destroyed).toBe(false);
    advance(1);
    expect(transport.destroyed).toBe(true);
    await settled();
    expect(closed).toEqual(['c']);
  });

  it('says nothing to a socket that takes nothing', () => {
    const { connection, transport } = open();
    transport.writable = false;
    connection.close('revoked', { reason: 'gone' });
    expect(transport.written).toEqual([]);
    expect(transport.ended).toBe('revoked');
  });

  it('closes once, whoever closes it', () => {
    const { connection, transport, closed, advance } = open();
    connection.close('replaced');
    connection.close('revoked', { reason: 'gone' });
    transport.close();
    advance(5000);
    expect(transport.ended).toBe('replaced');
    expect(transport.destroyed).toBe(false);
    expect(closed).toEqual(['c']);
  });

  it('leaves when the client does, and writes nothing more', async () => {
    const { connection, transport, closed } = open();
    connection.offer(frame('1'));
    transport.close();
    await settled();
    expect(closed).toEqual(['c']);
    expect(transport.written).toEqual([]);
    expect(transport.ended).toBeUndefined();
  });

  it('gives a sign of life with the head, but not while anything waits', async () => {
    const { connection, transport } = open();
    connection.keepAlive('head');
    expect(connection.position).toBe('head');
    transport.writable = false;
    connection.offer(frame('1'));
    connection.keepAlive('later');
    transport.writable = true;
    connection.keepAlive('later');
    expect(transport.keepAlives).toEqual(['head']);
  });
});
