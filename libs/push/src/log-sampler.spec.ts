import { expect, it } from 'vitest';
import { LogSampler } from './log-sampler.js';

it('lets a few lines of each kind through, then says how many it left out', () => {
  const sampler = new LogSampler(2, 1000);
  expect(sampler.take('a', 0)).toEqual({ leftOut: 0 });
  expect(sampler.take('a', 1)).toEqual({ leftOut: 0 });
  expect(sampler.take('a', 2)).toBeUndefined();
  expect(sampler.take('b', 3)).toEqual({ leftOut: 0 });
  expect(sampler.take('a', 999)).toBeUndefined();
  expect(sampler.take('a', 1000)).toEqual({ leftOut: 2 });
  expect(sampler.take('a', 1001)).toEqual({ leftOut: 0 });
  expect(sampler.take('a', 5000)).toEqual({ leftOut: 0 });
});
