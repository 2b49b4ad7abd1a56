import { expect, it } from 'vitest';
import { leaseStoreContract } from '../lease.spec-kit.js';
import { MemoryLeaseStore } from './lease-store.js';

leaseStoreContract('MemoryLeaseStore', () => new MemoryLeaseStore());

it('holds nothing when everything was released', async () => {
  const store = new MemoryLeaseStore();
  const owners = [
    { owner: 'token:a', limit: 2 },
    { owner: 'tenant:t', limit: 2 },
  ];
  await store.acquire(owners, 'c1');
  expect(store.count()).toBe(1);
  await store.acquire(owners, 'c2', 'c1');
  await store.release(owners, 'c2');
  expect(store.count('tenant:t')).toBe(0);
  expect(store.count()).toBe(0);
});
