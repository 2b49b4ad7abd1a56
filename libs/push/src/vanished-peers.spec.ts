import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Connection } from './connection.js';
import { Hub } from './hub.js';
import { VanishedPeers, endpoint } from './vanished-peers.js';
import { ScriptedTransport, connectionParts, testEnvironment } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

describe('an endpoint', () => {
  it.each([
    ['127.0.0.1', 80, '0100007F:0050'],
    ['10.20.30.40', 65535, '281E140A:FFFF'],
    ['::1', 7110, '00000000000000000000000001000000:1BC6'],
    ['::ffff:127.0.0.1', 7110, '0000000000000000FFFF00000100007F:1BC6'],
    ['2001:db8::1:2', 1, 'B80D0120000000000000000002000100:0001'],
    ['fe80::1%eth0', 1, '000080FE000000000000000001000000:0001'],
  ])('%s:%d is written as the kernel writes it', (address, port, expected) => {
    expect(endpoint(address, port)).toBe(expected);
  });
});

describe('peers', () => {
  function make() {
    const hub = new Hub();
    const clock = new VirtualClock();
    const advance = (milliseconds: number): void => clock.advance(milliseconds);
    const socket = {
      localAddress: '127.0.0.1',
      localPort: 1,
      remoteAddress: '127.0.0.1',
      remotePort: 2,
      bytesWritten: 100,
      writableLength: 0,
    };
    const transport = new ScriptedTransport();
    Object.assign(transport, { socket: socket as unknown as Socket });
    const { init, parts } = connectionParts({ transport, onClose: (one) => hub.remove(one) });
    hub.add(new Connection(init, parts));
    let outstanding: number | undefined;
    const key = '0100007F:0001 0100007F:0002';
    const peers = new VanishedPeers(hub, 30, testEnvironment({ clock }), () =>
      Promise.resolve(new Map(outstanding === undefined ? [] : [[key, outstanding]])),
    );
    const look = async (bytes: number | undefined, seconds = 10) => {
      outstanding = bytes;
      await peers.look();
      advance(seconds * 1000);
    };
    return { look, transport, socket, hub, clock };
  }

  it('ends a stream of whose bytes none is acknowledged for the stall time', async () => {
    const { look, transport, socket, hub } = make();
    for (let time = 0; time < 3; time += 1) await look(40);
    // More on its way says nothing of the other side.
    socket.bytesWritten += 20;
    expect(transport.ended).toBeUndefined();
    await look(60);
    expect(transport.ended).toBe('slow');
    expect(hub.indexed).toBe(0);
  });

  it('ends it as soon when the wall clock steps back, and no sooner when it steps forward', async () => {
    const { look, transport, clock } = make();
    await look(40);
    clock.stepWall(3_600_000);
    await look(40);
    expect(transport.ended).toBeUndefined();
    clock.stepWall(-7_200_000);
    await look(40);
    await look(40);
    expect(transport.ended).toBe('slow');
  });

  it('leaves alone whoever acknowledges anything, or has nothing to acknowledge', async () => {
    const { look, transport } = make();
    for (let time = 0; time < 20; time += 1) await look(40 - time);
    for (let time = 0; time < 20; time += 1) await look(undefined);
    for (let time = 0; time < 3; time += 1) await look(40);
    await look(undefined);
    for (let time = 0; time < 3; time += 1) await look(40);
    expect(transport.ended).toBeUndefined();
  });
});
