import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.js';
import type { ConnectionId, HeldLease, LeaseHolders, LeaseLoss, LeaseOwner, LeaseStore } from './lease.js';
import { PushMetrics } from './metrics.js';

const ann = (limit: number): LeaseOwner => ({ owner: 'user:ann', limit });
const ben = (limit: number): LeaseOwner => ({ owner: 'user:ben', limit });
const acme = (limit: number): LeaseOwner => ({ owner: 'tenant:acme', limit });

/** Connections that hold leases, in a list. */
export class ListedHolders implements LeaseHolders {
  readonly open = new Map<ConnectionId, HeldLease>();
  readonly lostOnes: { readonly connection: ConnectionId; readonly loss: LeaseLoss }[] = [];

  add(owners: readonly LeaseOwner[], connection: ConnectionId): void {
    this.open.set(connection, { owners, connection });
  }

  held(): Iterable<HeldLease> {
    return this.open.values();
  }

  lost(connection: ConnectionId, loss: LeaseLoss): void {
    this.open.delete(connection);
    this.lostOnes.push({ connection, loss });
  }
}

/** What every lease store does. `create`: a store that shares nothing with another one, and has not been started. */
export function leaseStoreContract(name: string, create: () => LeaseStore): void {
  const errors: unknown[] = [];
  const environment = {
    clock: systemClock,
    metrics: new PushMetrics(),
    onError: (error: unknown) => errors.push(error),
  };
  const make = async (holders = new ListedHolders()): Promise<LeaseStore> => {
    const store = create();
    await store.start(holders, environment);
    return store;
  };

  describe(`${name} is a lease store`, () => {
    it('grants as many leases as the limit, to each owner', async () => {
      const store = await make();
      expect(await store.acquire([ann(2)], 'c1')).toEqual({ outcome: 'acquired' });
      expect(await store.acquire([ann(2)], 'c2')).toEqual({ outcome: 'acquired' });
      expect(await store.acquire([ann(2)], 'c3')).toEqual({ outcome: 'full', owner: 'user:ann' });
      expect(await store.acquire([ben(2)], 'c4')).toEqual({ outcome: 'acquired' });
      await store.close();
    });

    it('frees a lease once, however often it is released', async () => {
      const store = await make();
      await store.acquire([ann(1)], 'c1');
      await store.release([ann(1)], 'c1');
      await store.release([ann(1)], 'c1');
      expect((await store.acquire([ann(1)], 'c2')).outcome).toBe('acquired');
      expect((await store.acquire([ann(1)], 'c3')).outcome).toBe('full');
      await store.close();
    });

    it('acquires a lease of both owners or of none, and says whose limit is reached', async () => {
      const store = await make();
      expect((await store.acquire([ann(2), acme(2)], 'c1')).outcome).toBe('acquired');
      expect((await store.acquire([ben(2), acme(2)], 'c2')).outcome).toBe('acquired');
      expect(await store.acquire([ann(2), acme(2)], 'c3')).toEqual({ outcome: 'full', owner: 'tenant:acme' });
      // Nothing was taken of the one that had room.
      expect((await store.acquire([ann(2)], 'c4')).outcome).toBe('acquired');
      expect(await store.acquire([ann(2), acme(9)], 'c5')).toEqual({ outcome: 'full', owner: 'user:ann' });
      await store.release([ben(2), acme(2)], 'c2');
      expect((await store.acquire([ben(2), acme(2)], 'c6')).outcome).toBe('acquired');
      await store.close();
    });

    it('hands a lease over at the limit, and only a lease of the same owners', async () => {
      const store = await make();
      await store.acquire([ann(1)], 'c1');
      expect((await store.acquire([ben(1)], 'c2', 'c1')).outcome).toBe('acquired');
      expect((await store.acquire([ann(1)], 'c3', 'c1')).outcome).toBe('taken_over');
      expect((await store.acquire([ann(1)], 'c4', 'c1')).outcome).toBe('full');
      await store.release([ann(1)], 'c1');
      expect((await store.acquire([ann(1)], 'c5')).outcome).toBe('full');
      await store.close();
    });

    it('hands leases of two owners over together, and never from one of them alone', async () => {
      const store = await make();
      await store.acquire([ann(1), acme(1)], 'c1');
      expect(await store.acquire([ben(1), acme(1)], 'c2', 'c1')).toEqual({
        outcome: 'full',
        owner: 'tenant:acme',
      });
      expect((await store.acquire([ann(1), acme(1)], 'c3', 'c1')).outcome).toBe('taken_over');
      expect((await store.acquire([ann(1)], 'c4')).outcome).toBe('full');
      await store.release([ann(1), acme(1)], 'c3');
      expect((await store.acquire([ben(1), acme(1)], 'c5')).outcome).toBe('acquired');
      await store.close();
    });

    it('never grants more leases than the limit, however many are asked for at once', async () => {
      const store = await make();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.acquire([index % 2 === 0 ? ann(7) : ben(7), acme(10)], `c${index}`),
        ),
      );
      expect(answers.filter(({ outcome }) => outcome === 'acquired')).toHaveLength(10);
      await store.close();
    });

    it('acquires what is held when it starts, and says what does not fit', async () => {
      const holders = new ListedHolders();
      holders.add([ann(2), acme(3)], 'c1');
      holders.add([ann(2), acme(3)], 'c2');
      holders.add([ann(2), acme(3)], 'c3');
      holders.add([ben(2), acme(3)], 'c4');
      const store = await make(holders);
      expect(holders.lostOnes).toEqual([{ connection: 'c3', loss: 'lease_lost' }]);
      expect(await store.acquire([ann(2)], 'c5')).toEqual({ outcome: 'full', owner: 'user:ann' });
      expect(await store.acquire([ben(2), acme(3)], 'c6')).toEqual({ outcome: 'full', owner: 'tenant:acme' });
      await store.release([ann(2), acme(3)], 'c1');
      expect((await store.acquire([ben(2), acme(3)], 'c6', 'c4')).outcome).toBe('taken_over');
      expect((await store.acquire([ann(2), acme(3)], 'c7')).outcome).toBe('acquired');
      await store.close();
    });

    it('takes any text for an owner', async () => {
      const store = await make();
      const odd = [
        { owner: 'user:}{ \n*', limit: 1 },
        { owner: 'tenant:é "x" :held', limit: 1 },
      ];
      expect((await store.acquire(odd, 'c1')).outcome).toBe('acquired');
      expect((await store.acquire(odd.slice(1), 'c2')).outcome).toBe('full');
      await store.release(odd, 'c1');
      expect((await store.acquire(odd, 'c2')).outcome).toBe('acquired');
      await store.close();
      expect(errors).toEqual([]);
    });

    it('agrees with a plain list, whatever is asked of it', async () => {
      const limits: Record<string, number> = { a: 1, b: 2, t: 2 };
      const owners = fc.constantFrom<string[]>(['a'], ['b'], ['a', 't'], ['b', 't']);
      const connection = fc.constantFrom('1', '2', '3', '4', '5', '6');
      const step = fc.record({ owners, connection, replaces: fc.option(connection), releases: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const store = await make();
          let held: { of: string; connection: string }[] = [];
          const has = (of: string, id: string) => held.some((one) => one.of === of && one.connection === id);
          for (const { owners: of, connection: id, replaces, releases } of steps) {
            const asked = of.map((owner) => ({ owner, limit: limits[owner] ?? 0 }));
            // Every connection is acquired once, as the library does.
            if (releases || held.some((one) => one.connection === id)) {
              await store.release(asked, id);
              held = held.filter((one) => !(of.includes(one.of) && one.connection === id));
              continue;
            }
            const old = replaces !== null && of.every((owner) => has(owner, replaces)) ? replaces : undefined;
            const full = asked.find(
              ({ owner, limit }) => held.filter((one) => one.of === owner).length >= limit,
            );
            const expected =
              old !== undefined
                ? { outcome: 'taken_over' }
                : full === undefined
                  ? { outcome: 'acquired' }
                  : { outcome: 'full', owner: full.owner };
            expect(await store.acquire(asked, id, replaces ?? undefined)).toEqual(expected);
            if (expected.outcome === 'full') continue;
            held = held.filter((one) => !(of.includes(one.of) && one.connection === old));
            held.push(...of.map((owner) => ({ of: owner, connection: id })));
          }
          await store.close();
        }),
      );
    });
  });
}
