import { afterEach, expect, it, vi } from 'vitest';
import { RefusedTokens } from './refused-tokens.js';

afterEach(() => vi.useRealTimers());

it('remembers what was refused for a while, whatever the wall clock does, and bounded', () => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  const refused = new RefusedTokens();
  expect(refused.has('a')).toBe(false);
  refused.remember('a');
  vi.setSystemTime(Date.now() - 600_000);
  vi.advanceTimersByTime(29_000);
  expect(refused.has('a')).toBe(true);
  expect(refused.has('b')).toBe(false);
  vi.advanceTimersByTime(1001);
  expect(refused.has('a')).toBe(false);
  refused.remember('first');
  for (let index = 0; index < 10_000; index += 1) refused.remember(`other ${index}`);
  expect(refused.has('first')).toBe(false);
  expect(refused.has('other 0')).toBe(true);
});
