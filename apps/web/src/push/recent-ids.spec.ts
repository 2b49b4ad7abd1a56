import { expect, it } from 'vitest';
import { RecentIds } from './recent-ids';

it('knows the last ids, and no more', () => {
  const recent = new RecentIds(2);
  expect(['a', 'b', 'a', 'c', 'b', 'a'].map((id) => recent.add(id))).toEqual([
    true,
    true,
    false,
    true,
    false,
    true,
  ]);
});
