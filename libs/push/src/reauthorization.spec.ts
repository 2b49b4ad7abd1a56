import { describe, expect, it } from 'vitest';
import { Connection } from './connection.js';
import { Hub } from './hub.js';
import type { Principal } from './principal.js';
import { Reauthorization } from './reauthorization.js';
import { ScriptedTransport, connectionParts, settled, testEnvironment } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

function make(answer: (principals: readonly Principal[]) => Promise<(Principal | undefined)[]>) {
  const hub = new Hub();
  const clock = new VirtualClock();
  const advance = (milliseconds: number): void => clock.advance(milliseconds);
  const errors: string[] = [];
  const asked: number[] = [];
  const reauthorize = (principals: readonly Principal[]) => {
    asked.push(principals.length);
    return answer(principals);
  };
  const onError = (_error: unknown, doing: string): void => void errors.push(doing);
  const ticks = new Reauthorization(hub, reauthorize, 30, testEnvironment({ clock, onError }));
  const add = (id = 'c', more: Partial<Principal> = {}) => {
    const transport = new ScriptedTransport();
    const principal = { ...connectionParts().init.principal, ...more };
    const { init, parts } = connectionParts({
      id,
      principal,
      transport,
      onClose: (connection) => hub.remove(connection),
    });
    const connection = new Connection(init, parts);
    hub.add(connection);
    return { connection, transport };
  };
  return { hub, ticks, add, advance, errors, asked };
}

const now =
  (...organizations: string[]) =>
  (principals: readonly Principal[]) =>
    Promise.resolve(principals.map((one) => ({ ...one, organizationIds: new Set(organizations) })));

describe('reauthorization', () => {
  it('closes streams whose credential has ended, and asks about the others', async () => {
    const { hub, add, ticks, advance, asked } = make(now('o'));
    const ended = add('ended', { expiresAt: 30_000 });
    add('not yet', { expiresAt: 30_001 });
    ticks.loop.start();
    advance(30_000);
    await settled();
    expect(ended.transport.ended).toBe('unauthorized');
    expect(ended.transport.types).toEqual(['Revoked']);
    expect(hub.size).toBe(1);
    expect(asked).toEqual([1]);
  });

  it('asks about everyone on every tick, in batches', async () => {
    const { add, ticks, advance, asked } = make(now('o'));
    for (let index = 0; index < 1200; index += 1) add(String(index));
    ticks.loop.start();
    advance(29_999);
    expect(asked).toEqual([]);
    advance(1);
    await settled();
    expect(asked).toEqual([500, 500, 200]);
    advance(30_000);
    await settled();
    expect(asked).toHaveLength(6);
    ticks.loop.stop();
    advance(90_000);
    expect(asked).toHaveLength(6);
  });

  it('closes whoever is gone, and says why', async () => {
    const { add, ticks, hub } = make((principals) => Promise.resolve(principals.map(() => undefined)));
    const { transport } = add();
    await ticks.round();
    expect(transport.types).toEqual(['Revoked']);
    expect(transport.ended).toBe('unauthorized');
    expect(hub.indexed).toBe(0);
  });

  it('takes and gives organizations that no message told of, and has the client fetch', async () => {
    const { add, ticks } = make(now('p'));
    const { connection, transport } = add();
    await ticks.round();
    await settled();
    expect([...connection.organizationIds]).toEqual(['p']);
    expect(transport.types).toEqual(['Resync']);
    await ticks.round();
    await settled();
    expect(transport.types).toEqual(['Resync']);
  });

  it('discards an answer that is older than the last change', async () => {
    let give: (principals: (Principal | undefined)[]) => void = () => undefined;
    const { add, ticks, hub } = make(() => new Promise((resolve) => (give = resolve)));
    const { connection, transport } = add();
    const old = connection.principal;
    const before = [{ ...old, organizationIds: new Set(old.organizationIds) }];
    const round = ticks.round();
    connection.revision += 1;
    hub.leave(connection, 'o');
    give(before);
    await round;
    expect([...connection.organizationIds]).toEqual([]);
    expect(transport.types).toEqual([]);
  });

  it('keeps everyone while nobody answers, and says so', async () => {
    const { add, ticks, errors, advance } = make(() => Promise.reject(new Error('away')));
    const { transport } = add();
    await expect(ticks.round()).rejects.toThrow('away');
    expect(transport.ended).toBeUndefined();
    ticks.loop.start();
    advance(30_000);
    await settled();
    expect(errors).toEqual(['running reauthorization']);
  });
});
