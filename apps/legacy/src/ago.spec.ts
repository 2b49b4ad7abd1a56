import { expect, it } from 'vitest';
import { agoFilter } from './ago';

const ago = agoFilter();
const before = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

it.each([
  [0, 'just now'],
  [-30, 'just now'],
  [1, '1 second ago'],
  [59, '59 seconds ago'],
  [61, '1 minute ago'],
  [7300, '2 hours ago'],
  [90_000, 'yesterday'],
  [400_000, '4 days ago'],
])('%i seconds before now: %s', (seconds, text) => {
  expect(ago(before(seconds))).toBe(text);
});
