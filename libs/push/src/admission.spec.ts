import { ChangeType } from '@crossfade/protocol/catalog';
import { describe, expect, it } from 'vitest';
import { make, request } from './admission.spec-kit.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import { envelopeOf, ScriptedTransport, settled } from './scripted.spec-kit.js';

const membership = (change: ChangeType) =>
  ({
    type: 'UserMembershipChanged',
    message: { change_type: change, user_id: 'u', organization_id: 'o' },
  }) as const;
const revocation = {
  type: 'TokenChanged',
  message: { type: 'Token', id: 't', change_type: ChangeType.Removed, data: { user_id: 'u' } },
} as const;
const stackChanged = {
  type: 'StackChanged',
  message: { type: 'Stack', organization_id: 'o', change_type: 0, data: {} },
} as const;

const LARGE = 'x'.repeat(5000);

describe('admission', () => {
  it.each([
    [{ credential: undefined }, 'unauthorized'],
    [{ origin: 'https://evil.example' }, 'origin'],
    [{ origin: 'not a url' }, 'origin'],
    [{ origin: 'null' }, 'origin'],
  ] as const)('refuses %j as %s', async (over, reason) => {
    const { connect, leases } = await make();
    const { admitted } = await connect(over);
    expect(admitted).toMatchObject({ refusal: { reason } });
    expect(leases.count()).toBe(0);
  });

  it.each([[undefined], ['https://push.example'], ['https://app.example']])(
    'lets the origin %s pass',
    async (origin) => {
      const { connect } = await make();
      expect(await connect({ origin })).toHaveProperty('opened.connection');
    },
  );

  it('refuses as unavailable when the authenticator fails, and says so in the log', async () => {
    const { connect, accounts, errors, advance } = await make();
    accounts.gate = Promise.reject(new Error('database away'));
    const { admitted } = await connect();
    expect(admitted).toMatchObject({
      refusal: { reason: 'unavailable', retryAfterMs: expect.any(Number) as number },
    });
    expect(errors).toEqual(['admitting a stream']);
    // The same credential is not asked about again before the time that it was told.
    accounts.gate = Promise.resolve();
    expect((await connect()).admitted).toMatchObject({ refusal: { reason: 'unavailable' } });
    expect(accounts.asked).toBe(1);
    advance(10_000);
    expect(await connect()).toHaveProperty('opened.connection');
  });

  it('refuses everyone while it drains or is switched off', async () => {
    const { connect, admission } = await make();
    admission.drain();
    expect((await connect()).admitted).toMatchObject({ refusal: { reason: 'unavailable' } });
    const off = await make({ enabled: false });
    expect((await off.connect({ credential: undefined })).admitted).toMatchObject({
      refusal: { reason: 'disabled' },
    });
  });

  it('brings a client what was published while nobody listened, in order, from its cursor on', async () => {
    const { connect, publisher } = await make();
    const before = await connect();
    await settled();
    const cursor = before.transport?.written.flat().at(-1)?.id ?? '';
    before.transport?.close();
    before.gone.abort();
    const changed = (id: string, organization: string) =>
      ({ ...stackChanged, message: { ...stackChanged.message, id, organization_id: organization } }) as const;
    await publisher.publish(changed('1', 'o'));
    await publisher.publish(changed('2', 'another'));
    await publisher.publish(changed('3', 'o'));
    await settled();
    const back = await connect({ cursor });
    await settled();
    const frames = back.transport?.frames ?? [];
    expect(frames[0]?.id).toBe(cursor);
    expect(envelopeOf(frames[0])).toMatchObject({ type: 'Connected', message: { resumed: 'resumed' } });
    expect(frames.slice(1).map((frame) => (envelopeOf(frame)?.message as { id: string }).id)).toEqual([
      '1',
      '3',
    ]);
    const caughtUp = await connect({ cursor: frames.at(-1)?.id });
    await settled();
    expect(caughtUp.transport?.types).toEqual(['Connected']);
  });

  it('brings a client any number of messages that it missed, as long as they are held; else it has a gap', async () => {
    const { connect, publisher } = await make({ windowCapacity: 500 });
    const before = await connect();
    await settled();
    const cursor = before.transport?.frames.at(-1)?.id ?? '';
    const miss = async (from: number, to: number) => {
      for (let id = from; id < to; id += 1)
        await publisher.publish({ ...stackChanged, message: { ...stackChanged.message, id: String(id) } });
      for (let turn = 0; turn < 40; turn += 1) await settled();
    };
    before.transport?.close();
    await miss(0, 500);
    const just = await connect({ cursor });
    for (let turn = 0; turn < 40; turn += 1) await settled();
    expect(just.transport?.types).toHaveLength(501);
    expect(just.transport?.frames[0]?.id).toBe(cursor);
    expect(envelopeOf(just.transport?.frames[0])?.message).toMatchObject({ resumed: 'resumed' });
    just.transport?.close();
    await miss(500, 501);
    const tooLate = await connect({ cursor });
    await settled();
    expect(tooLate.transport?.types).toEqual(['Connected', 'Resync']);
    expect(envelopeOf(tooLate.transport?.frames[1])?.message).toMatchObject({
      reason: 'gap',
      criticals: 'complete',
    });
  });

  it('does not let one organization push the cursor of another out', async () => {
    const { connect, publisher, accounts } = await make({ windowCapacity: 50 });
    accounts.organizations.add('quiet').delete('o');
    const before = await connect();
    await settled();
    const cursor = before.transport?.frames.at(-1)?.id ?? '';
    before.transport?.close();
    for (let id = 0; id < 500; id += 1)
      await publisher.publish({ ...stackChanged, message: { ...stackChanged.message, id: String(id) } });
    for (let turn = 0; turn < 20; turn += 1) await settled();
    const back = await connect({ cursor });
    await settled();
    expect(envelopeOf(back.transport?.frames[0])?.message).toMatchObject({ resumed: 'resumed' });
  });

  it.each(['x', 'old\nid: 1', '', `aaaaaaaa.1-5`])(
    'never echoes the cursor %j that it does not know',
    async (cursor) => {
      const { connect } = await make();
      const { transport } = await connect({ cursor });
      await settled();
      const head = (await connect()).transport;
      await settled();
      expect(new Set(transport?.frames.map(({ id }) => id))).toEqual(new Set([head?.frames[0]?.id]));
      expect(envelopeOf(transport?.frames[1])?.message).toMatchObject({
        reason: cursor.startsWith('aaaa') ? 'log_lost' : 'unknown_cursor',
        criticals: 'truncated',
      });
    },
  );

  it('says Connected with the head first, and a gap to whoever brings a cursor', async () => {
    const { connect } = await make();
    const fresh = await connect();
    const back = await connect({ cursor: 'old' });
    await settled();
    expect(fresh.transport?.types).toEqual(['Connected']);
    expect(back.transport?.types).toEqual(['Connected', 'Resync']);
    expect(envelopeOf(back.transport?.frames[0])?.message).toMatchObject({ resumed: 'gap' });
  });
});

describe('a client that knows no Resync', () => {
  const missMany = async (publisher: Awaited<ReturnType<typeof make>>['publisher']) => {
    for (let id = 0; id < 500; id += 1)
      await publisher.publish({ ...stackChanged, message: { ...stackChanged.message, id: String(id) } });
    for (let turn = 0; turn < 20; turn += 1) await settled();
  };

  it('is ended when it lags, once: whether it brings its cursor or not, its next stream goes on', async () => {
    for (const bringsCursor of [false, true]) {
      const { connect, publisher } = await make({ windowCapacity: 50 });
      const { transport } = await connect({ knowsResync: false });
      await settled();
      if (transport !== undefined) transport.writable = false;
      await missMany(publisher);
      transport?.drain();
      await settled();
      expect([transport?.ended, transport?.types]).toEqual(['stale', ['Connected']]);
      const cursor = bringsCursor ? transport?.frames.at(-1)?.id : undefined;
      const next = await connect({ knowsResync: false, cursor });
      for (let turn = 0; turn < 20; turn += 1) await settled();
      await publisher.publish(stackChanged);
      await settled();
      expect([next.transport?.ended, next.transport?.types]).toEqual([
        undefined,
        ['Connected', ...(bringsCursor ? ['Resync'] : []), 'StackChanged'],
      ]);
    }
  });

  it('is ended once when it turns out what it has joined, and not by the rounds after', async () => {
    const { connect, accounts, reauthorization } = await make();
    const { transport } = await connect({ knowsResync: false });
    accounts.organizations.add('p');
    await reauthorization.round();
    expect(transport?.ended).toBe('stale');
    const next = await connect({ knowsResync: false });
    await reauthorization.round();
    accounts.organizations.delete('o');
    await settled();
    expect(next.transport?.ended).toBeUndefined();
    await reauthorization.round();
    expect(next.transport?.ended).toBe('stale');
  });
});

describe('a client that cannot read a large message', () => {
  it.each([
    ['an invalidation', { ...stackChanged, message: { ...stackChanged.message, data: { text: LARGE } } }],
    [
      'critical',
      { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: LARGE } } as const,
    ],
  ])('is led past it, told to refetch, and gets what comes after, if it is %s', async (what, message) => {
    for (const knowsResync of [true, false]) {
      const { connect, publisher } = await make({ limit: 10 });
      const { transport } = await connect();
      await settled();
      const cursor = transport?.frames[0]?.id;
      await publisher.publish(message);
      const overage = { organization_id: 'o', is_hourly: false };
      await publisher.publish({ type: 'PlanOverage', message: overage });
      await settled();
      const [, large, after] = transport?.frames ?? [];
      for (let time = 0; time < 3; time += 1) {
        const stuck = await connect({ cursor, knowsResync });
        await settled();
        expect(stuck.transport?.types).toEqual(['Connected', message.type, 'PlanOverage']);
        stuck.transport?.close();
      }
      const led = await connect({ cursor, knowsResync });
      for (let turn = 0; turn < 5; turn += 1) await settled();
      await publisher.publish(stackChanged);
      await settled();
      const heard = led.transport?.frames.map((frame) => [frame.id, envelopeOf(frame)?.type]) ?? [];
      expect(heard.slice(0, 3)).toEqual([
        [large?.id, 'Connected'],
        [large?.id, 'Resync'],
        [after?.id, 'PlanOverage'],
      ]);
      expect(heard.at(-1)?.[1]).toBe('StackChanged');
      expect(envelopeOf(led.transport?.frames[0])?.message).toMatchObject({ resumed: 'gap' });
      expect(envelopeOf(led.transport?.frames[1])?.message).toMatchObject({
        reason: 'too_large',
        criticals: what === 'critical' ? 'truncated' : 'complete',
      });
    }
  });
});

describe('budgets', () => {
  it('answer a refused owner from memory until a lease is released', async () => {
    const { connect, accounts } = await make({ limit: 1 });
    const first = await connect();
    expect((await connect()).admitted).toMatchObject({ refusal: { reason: 'limit' } });
    const { asked } = accounts;
    expect((await connect()).admitted).toMatchObject({ refusal: { reason: 'limit' } });
    expect(accounts.asked).toBe(asked);
    first.transport?.close();
    await settled();
    expect(await connect()).toHaveProperty('opened.connection');
  });

  it('bound how often one owner connects', async () => {
    const { connect } = await make({ connectsPerMinute: 3 });
    for (let time = 0; time < 3; time += 1) (await connect()).transport?.close();
    const { admitted } = await connect();
    expect(admitted).toMatchObject({ refusal: { reason: 'limit' } });
    expect(await connect({ credential: 'foreign' })).toHaveProperty('opened.connection');
  });

  it('bound how many bad credentials one address sends', async () => {
    const { connect, accounts } = await make({ failuresPerMinute: 3 });
    accounts.isRevoked = true;
    for (let time = 0; time < 3; time += 1) {
      expect((await connect({ credential: `bad${time}` })).admitted).toMatchObject({
        refusal: { reason: 'unauthorized' },
      });
    }
    const { asked } = accounts;
    expect((await connect({ credential: 'bad' })).admitted).toMatchObject({ refusal: { reason: 'limit' } });
    expect(accounts.asked).toBe(asked);
    const other = await connect({ credential: 'bad', address: '192.0.2.2' });
    expect(other.admitted).toMatchObject({ refusal: { reason: 'unauthorized' } });
  });

  it('bound the admissions that run and wait at once', async () => {
    const { connect, accounts } = await make({ admissionsAtOnce: 1, admissionsWaiting: 1 });
    let open: () => void = () => undefined;
    accounts.gate = new Promise((resolve) => (open = resolve));
    const admitted = [connect(), connect()];
    await settled();
    expect(accounts.asked).toBe(1);
    expect((await connect()).admitted).toMatchObject({ refusal: { reason: 'unavailable' } });
    open();
    for (const each of admitted) expect(await each).toHaveProperty('opened.connection');
  });
});

describe('leases', () => {
  it('go back when the client leaves, at any moment', async () => {
    const { admission, streams, accounts, leases, hub, keepAlive } = await make();
    let open: () => void = () => undefined;
    accounts.gate = new Promise((resolve) => (open = resolve));
    const during = new AbortController();
    const admitting = admission.admit(request(), during.signal);
    during.abort();
    open();
    expect(await admitting).toEqual({ outcome: 'disconnected' });
    expect(leases.count()).toBe(0);

    const acquiring = new AbortController();
    const acquire = leases.acquire.bind(leases);
    leases.acquire = async (...of) => {
      const acquired = await acquire(...of);
      acquiring.abort();
      return acquired;
    };
    expect(await admission.admit(request(), acquiring.signal)).toEqual({ outcome: 'disconnected' });
    leases.acquire = acquire;
    await settled();
    expect(leases.count()).toBe(0);

    const between = new AbortController();
    const admitted = await admission.admit(request(), between.signal);
    expect(leases.count()).toBe(1);
    between.abort();
    await settled();
    expect(leases.count()).toBe(0);
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    expect(await streams.open(admitted, new ScriptedTransport(), between.signal)).toEqual({
      outcome: 'disconnected',
    });
    expect([leases.count(), hub.indexed, keepAlive.size]).toEqual([0, 0, 0]);
  });

  it('go back when the replica begins to drain while a stream is being opened', async () => {
    const { admission, streams, leases, hub, accounts } = await make();
    let answer: () => void = () => undefined;
    accounts.gate = new Promise((resolve) => (answer = resolve));
    const gone = new AbortController();
    const admitting = admission.admit(request(), gone.signal);
    await settled();
    admission.drain();
    answer();
    const admitted = await admitting;
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    const opened = await streams.open(admitted, new ScriptedTransport(), gone.signal);
    expect(opened).toMatchObject({ refusal: { reason: 'unavailable' } });
    expect([leases.count(), hub.indexed]).toEqual([0, 0]);
  });

  it('go back when a stream is closed while it catches up', async () => {
    const { connect, publisher, leases, hub, catchUp } = await make();
    const before = await connect();
    await settled();
    const cursor = before.transport?.frames.at(-1)?.id ?? '';
    before.transport?.close();
    for (let id = 0; id < 500; id += 1)
      await publisher.publish({ ...stackChanged, message: { ...stackChanged.message, id: String(id) } });
    for (let turn = 0; turn < 20; turn += 1) await settled();
    const back = await connect({ cursor });
    await new Promise((resolve) => setImmediate(resolve));
    const [connection] = hub.all();
    expect(connection?.isLive).toBe(false);
    connection?.close('revoked');
    const written = back.transport?.written.length;
    await settled();
    expect(back.transport?.ended).toBe('revoked');
    expect(back.transport?.written).toHaveLength(written ?? 0);
    expect([leases.count(), hub.indexed, catchUp.size]).toEqual([0, 0, 0]);
  });

  it('go back once when a stream ends, and nothing of it is left', async () => {
    const { connect, leases, hub, keepAlive } = await make();
    const { transport, gone } = await connect();
    expect([leases.count(), hub.size, keepAlive.size]).toEqual([1, 1, 1]);
    transport?.close();
    gone.abort();
    await settled();
    expect([leases.count(), hub.indexed, keepAlive.size]).toEqual([0, 0, 0]);
  });

  it('are limited for each owner, and handed over by replaces', async () => {
    const { connect, hub, leases } = await make({ limit: 1 });
    const first = await connect();
    const over = await connect();
    expect(over.admitted).toMatchObject({ refusal: { reason: 'limit' } });
    const replaces = [...hub.all()][0]?.id;
    const second = await connect({ replaces });
    expect(second).toHaveProperty('opened.connection');
    expect(first.transport?.ended).toBe('replaced');
    await settled();
    expect([leases.count(), hub.size]).toEqual([1, 1]);
    second.transport?.close();
    await settled();
    expect([leases.count(), hub.size]).toEqual([0, 0]);
  });

  it("are not handed over by another owner's stream, which stays open", async () => {
    const { connect, hub } = await make();
    const victim = await connect();
    const replaces = [...hub.all()][0]?.id;
    await connect({ credential: 'foreign', replaces });
    expect(victim.transport?.ended).toBeUndefined();
    expect(hub.size).toBe(2);
  });

  it('go back to the stream that was to be replaced, if its successor never came about', async () => {
    const { connect, admission, hub, leases } = await make({ limit: 1 });
    await connect();
    const replaces = [...hub.all()][0]?.id;
    const gone = new AbortController();
    await admission.admit(request({ replaces }), gone.signal);
    gone.abort();
    // Nobody else may get the lease that is handed back.
    const greedy = connect();
    await settled();
    expect((await greedy).admitted).toMatchObject({ refusal: { reason: 'limit' } });
    expect([leases.count(), hub.size]).toEqual([1, 1]);
    expect((await connect()).admitted).toMatchObject({ refusal: { reason: 'limit' } });
  });
});

describe('leases that a store shares with other replicas', () => {
  it('are held by open streams and by those that are being opened, but not by those that move', async () => {
    const { connect, admission, push, hub } = await make({ limit: 5 });
    const first = await connect();
    await connect();
    const admitted = await admission.admit(request(), new AbortController().signal);
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    const held = () => [...push.parts.leases.held()];
    const owners = [{ owner: 'user:u', limit: 5 }];
    const ids = [...[...hub.all()].map(({ id }) => id), admitted.lease.connectionId];
    expect(held()).toEqual(ids.map((connection) => ({ connection, owners })));
    if (first.opened?.outcome === 'opened') first.opened.connection.drain(0);
    await admitted.lease.release();
    expect(held().map(({ connection }) => connection)).toEqual([ids[1]]);
  });

  it('end a stream whose lease is lost, also one that is only being opened', async () => {
    const { connect, admission, streams, leases, push, hub } = await make();
    const { opened, transport } = await connect();
    if (opened?.outcome !== 'opened') throw new Error('should have been opened');
    const admitted = await admission.admit(request(), new AbortController().signal);
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    push.parts.leases.lost(opened.connection.id, 'lease_lost');
    push.parts.leases.lost(admitted.lease.connectionId, 'lease_lost');
    expect(transport?.ended).toBe('lease_lost');
    expect(await streams.open(admitted, new ScriptedTransport(), new AbortController().signal)).toMatchObject(
      {
        refusal: { reason: 'unavailable' },
      },
    );
    expect([leases.count(), hub.indexed]).toEqual([0, 0]);
  });

  it('are taken over from another replica by a client that was refused for its limit, as often as it may open streams', async () => {
    const leases = new MemoryLeaseStore();
    const [one, two] = [
      await make({ limit: 1, leases }),
      await make({ limit: 1, leases, connectsPerMinute: 3 }),
    ];
    await one.connect();
    const [replaces] = [...one.hub.all()].map(({ id }) => id);
    expect((await two.connect()).admitted).toMatchObject({ refusal: { reason: 'limit' } });
    expect((await two.connect({ replaces })).opened?.outcome).toBe('opened');
    // Nobody has such a stream.
    for (let times = 0; times < 3; times += 1) {
      const { admitted } = await two.connect({ replaces: 'made up' });
      expect(admitted).toMatchObject({ refusal: { reason: 'limit' } });
    }
    expect(two.accounts.asked).toBe(4);
    expect((await two.connect({ replaces: 'made up' })).admitted).toMatchObject({
      refusal: { reason: 'limit' },
    });
    expect(two.accounts.asked).toBe(4);
  });
});

describe('rights that change while a stream is opened', () => {
  it('a token that was revoked meanwhile opens none', async () => {
    const { admission, streams, accounts, publisher, leases, hub } = await make();
    const gone = new AbortController();
    const admitted = await admission.admit(request(), gone.signal);
    accounts.isRevoked = true;
    await publisher.publish(revocation);
    await settled();
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    const opened = await streams.open(admitted, new ScriptedTransport(), gone.signal);
    expect(opened).toMatchObject({ refusal: { reason: 'unauthorized' } });
    expect([leases.count(), hub.indexed]).toEqual([0, 0]);
  });

  it('a revocation finds no moment to pass a stream that is being opened', async () => {
    for (let lead = -12; lead <= 12; lead += 1) {
      const { admission, streams, accounts, publisher, hub, leases } = await make();
      const gone = new AbortController();
      const admitted = await admission.admit(request(), gone.signal);
      if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
      const transport = new ScriptedTransport();
      const revoke = (): void => {
        accounts.isRevoked = true;
        void publisher.publish(revocation);
      };
      const open = (): void => void streams.open(admitted, transport, gone.signal);
      const [first, second] = lead < 0 ? [revoke, open] : [open, revoke];
      first();
      for (let turn = 0; turn < Math.abs(lead); turn += 1) await Promise.resolve();
      second();
      await settled();
      expect([hub.indexed, leases.count()], `lead ${lead}`).toEqual([0, 0]);
    }
  });

  it('a membership that was removed meanwhile is not kept', async () => {
    const { admission, streams, accounts, publisher } = await make();
    let answer: () => void = () => undefined;
    accounts.gate = new Promise((resolve) => (answer = resolve));
    const gone = new AbortController();
    const admitting = admission.admit(request(), gone.signal);
    await settled();
    accounts.organizations.delete('o');
    await publisher.publish(membership(ChangeType.Removed));
    await settled();
    answer();
    const admitted = await admitting;
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    const transport = new ScriptedTransport();
    await streams.open(admitted, transport, gone.signal);
    expect(accounts.asked).toBe(2);
    await publisher.publish(stackChanged);
    await settled();
    expect(transport.types).toEqual(['Connected']);
  });

  it('a membership that is being confirmed for others is not missed by a stream that registers meanwhile', async () => {
    const { admission, streams, accounts, publisher, connect } = await make();
    accounts.organizations.delete('o');
    await connect();
    const gone = new AbortController();
    const admitted = await admission.admit(request(), gone.signal);
    let answer: () => void = () => undefined;
    accounts.gate = new Promise((resolve) => (answer = resolve));
    accounts.organizations.add('o');
    await publisher.publish(membership(ChangeType.Added));
    await settled();
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    const transport = new ScriptedTransport();
    const opening = streams.open(admitted, transport, gone.signal);
    await settled();
    answer();
    await opening;
    await publisher.publish(stackChanged);
    await settled();
    expect(transport.types).toContain('StackChanged');
  });

  it('a keep-alive does not move a stream past a record that it has not been handed', async () => {
    const { accounts, publisher, connect, keepAlive } = await make();
    const { transport } = await connect();
    await settled();
    accounts.gate = new Promise(() => undefined);
    await publisher.publish(membership(ChangeType.Added));
    await settled();
    for (let slot = 0; slot < 60; slot += 1) keepAlive.tick();
    expect(transport?.keepAlives).toEqual([transport?.frames[0]?.id]);
  });

  it("does not ask again for other people's changes", async () => {
    const { admission, streams, accounts, publisher } = await make();
    const gone = new AbortController();
    const admitted = await admission.admit(request(), gone.signal);
    await publisher.publish({
      ...membership(ChangeType.Removed),
      message: { change_type: 2, user_id: 'x', organization_id: 'o' },
    });
    await settled();
    if (admitted.outcome !== 'admitted') throw new Error('should have been admitted');
    await streams.open(admitted, new ScriptedTransport(), gone.signal);
    expect(accounts.asked).toBe(1);
  });
});

describe('rights that change while a stream is open', () => {
  it('a removed member gets the message, and nothing of the organization after it', async () => {
    const { connect, accounts, publisher } = await make();
    const { transport } = await connect();
    accounts.organizations.delete('o');
    await publisher.publish(stackChanged);
    await publisher.publish(membership(ChangeType.Removed));
    await publisher.publish(stackChanged);
    await settled();
    expect(transport?.types).toEqual(['Connected', 'StackChanged', 'UserMembershipChanged']);
  });

  it('an added member misses nothing that is published after the message, however long the confirmation takes', async () => {
    const { connect, accounts, publisher } = await make();
    accounts.organizations.delete('o');
    const { transport } = await connect();
    await settled();
    let answer: () => void = () => undefined;
    accounts.gate = new Promise((resolve) => (answer = resolve));
    accounts.organizations.add('o');
    await publisher.publish(stackChanged);
    await publisher.publish(membership(ChangeType.Added));
    await publisher.publish(stackChanged);
    await settled();
    expect(transport?.types).toEqual(['Connected']);
    answer();
    await settled();
    expect(transport?.types).toEqual(['Connected', 'UserMembershipChanged', 'StackChanged']);
  });

  it('joins only what the authenticator confirms', async () => {
    const { connect, accounts, publisher } = await make();
    accounts.organizations.delete('o');
    const { transport } = await connect();
    await publisher.publish(membership(ChangeType.Added));
    await publisher.publish(stackChanged);
    await settled();
    expect(transport?.types).toEqual(['Connected', 'UserMembershipChanged']);
  });

  it.each([ChangeType.Added, ChangeType.Removed])(
    'ends its streams if nobody confirms in time, and the next ones begin before the change (%i)',
    async (change) => {
      const { connect, accounts, publisher, clock, errors, hub } = await make();
      if (change === ChangeType.Added) accounts.organizations.delete('o');
      const { transport } = await connect();
      const other = await connect({ credential: 'foreign' });
      await settled();
      accounts.organizations.add('o');
      accounts.gate = new Promise(() => undefined);
      await publisher.publish(membership(change));
      await publisher.publish(stackChanged);
      await clock.advanceAsync(2000);
      await settled();
      expect([transport?.ended, transport?.types]).toEqual(['unconfirmed', ['Connected']]);
      expect(errors).toHaveLength(1);
      expect(other.transport?.ended).toBeUndefined();
      expect(hub.size).toBe(1);
      // Nobody is asked for a while, so the log does not wait once for each change.
      accounts.gate = Promise.resolve();
      const next = await connect({ cursor: transport?.frames[0]?.id });
      await settled();
      expect(next.transport?.types).toEqual(['Connected', 'UserMembershipChanged', 'StackChanged']);
      await publisher.publish(membership(change));
      await settled();
      expect([next.transport?.ended, errors.length]).toEqual(['unconfirmed', 1]);
    },
  );

  it('does not hear of its own change, and its position moves on', async () => {
    const { connect, publisher, hub } = await make({ limit: 9 });
    const own = await connect();
    const [others, foreign] = [await connect({ credential: 't2' }), await connect({ credential: 'foreign' })];
    const connection = own.transport === undefined ? '' : ([...hub.all()][0]?.id ?? '');
    const publish = (owner: string) =>
      publisher.send(publisher.prepare(stackChanged, { madeBy: { connection, owner } }));
    await publish('user:u');
    await settled();
    expect(own.transport?.types).toEqual(['Connected']);
    for (const { transport } of [others, foreign])
      expect(transport?.types).toEqual(['Connected', 'StackChanged']);
    expect(hub.get(connection)?.position.cursor).toBe(others.transport?.frames[1]?.id);
    // It is not the stream of the user who names it.
    await publish('user:x');
    await settled();
    expect(own.transport?.types).toEqual(['Connected', 'StackChanged']);
    // Its next stream is another one.
    own.transport?.close();
    await publish('user:u');
    const back = await connect({ cursor: own.transport?.frames[1]?.id });
    await settled();
    expect(back.transport?.types).toEqual(['Connected', 'StackChanged']);
  });

  it('a revoked token closes its streams and no others', async () => {
    const { connect, publisher } = await make();
    const one = await connect({ credential: 't' });
    const other = await connect({ credential: 't2' });
    await publisher.publish(revocation);
    await settled();
    expect(one.transport?.types.at(-1)).toBe('Revoked');
    expect(one.transport?.ended).toBe('revoked');
    expect(other.transport?.ended).toBeUndefined();
    expect(other.transport?.types).toEqual(['Connected', 'TokenChanged']);
  });

  it('an effect that it does not know makes it ask about those concerned', async () => {
    const { connect, accounts, log } = await make();
    const { transport } = await connect();
    accounts.isRevoked = true;
    await log.append({
      type: 'New',
      data: '{}',
      audience: [{ kind: 'user', id: 'u' }],
      delivery: 'critical',
      key: 'k',
      effect: { kind: 'new' },
    });
    await settled();
    expect(transport?.ended).toBe('revoked');
  });
});
