import { expect, it } from 'vitest';
import { leaseStoreContract } from '../lease.spec-kit.js';
import { MemoryLeaseStore } from './lease-store.js';

leaseStoreContract('MemoryLeaseStore', () => new MemoryLeaseStore());

it('holds nothing when everything was released', async () => {
  const store = new MemoryLeaseStore();
  await store.acquire('user:a', 'c1', 2);
  await store.acquire('user:a', 'c2', 2, 'c1');
  await store.release('user:a', 'c2');
  expect(store.count()).toBe(0);
});
