import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Admission } from './admission.js';
import { Connection } from './connection.js';
import { Drain, waves } from './drain.js';
import { Hub } from './hub.js';
import { ScriptedTransport, connectionParts, settled, testEnvironment } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

describe('waves', () => {
  it('tell everyone once, evenly, within the drain time, and at least twenty a second', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(60_000), (streams, drainMs) => {
        const sizes = waves(streams, drainMs);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(streams);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect((sizes.length - 1) * 100).toBeLessThanOrEqual(Math.max(drainMs, 0));
        if (sizes.length > 1) expect(Math.max(...sizes)).toBeGreaterThanOrEqual(2);
      }),
    );
  });
});

describe('a drain', () => {
  function make(streams: number, drainSeconds: number) {
    const clock = new VirtualClock();
    const advance = (milliseconds: number): void => clock.advance(milliseconds);
    const hub = new Hub();
    const released: string[] = [];
    const transports = Array.from({ length: streams }, (_, index) => {
      const transport = new ScriptedTransport();
      const { init, parts } = connectionParts({
        id: String(index),
        transport,
        environment: testEnvironment({ clock }),
        releaseLease: ({ id }) => released.push(id),
        onClose: (connection) => hub.remove(connection),
      });
      hub.add(new Connection(init, parts));
      return transport;
    });
    const admission = { drain: () => (admission.isDraining = true), isDraining: false };
    const drain = new Drain(
      admission as unknown as Admission,
      hub,
      drainSeconds,
      testEnvironment({ clock, random: Math.random }),
    );
    const pass = async (milliseconds: number) => {
      for (let passed = 0; passed < milliseconds; passed += 50) {
        advance(50);
        await settled();
      }
    };
    const told = () => transports.filter(({ types }) => types.includes('Reconnect')).length;
    return { drain, admission, transports, released, pass, told, hub };
  }

  it('refuses new streams at once, tells the open ones in waves, and releases their leases as they are told', async () => {
    const { drain, admission, released, pass, told } = make(400, 10);
    const done = drain.run();
    expect(admission.isDraining).toBe(true);
    const each: number[] = [];
    for (let second = 0; second < 10; second += 1) {
      const before = told();
      await pass(1000);
      each.push(told() - before);
      expect(released).toHaveLength(told());
    }
    expect(told()).toBe(400);
    expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(10);
    await pass(3000);
    await done;
  });

  it('keeps each stream until its client has moved, or its time has passed', async () => {
    const { drain, transports, pass, hub } = make(2, 1);
    const done = drain.run();
    await pass(200);
    transports[0]?.close();
    expect(transports[1]?.ended).toBeUndefined();
    expect(hub.size).toBe(1);
    await pass(2200);
    await done;
    expect(transports[1]?.ended).toBe('draining');
    expect(hub.size).toBe(0);
  });

  it('is over at once when nobody is here, and soon when a few are', async () => {
    await make(0, 20).drain.run();
    const few = make(3, 20);
    const done = few.drain.run();
    await few.pass(200);
    expect(few.told()).toBe(3);
    await few.pass(2500);
    await done;
  });
});
