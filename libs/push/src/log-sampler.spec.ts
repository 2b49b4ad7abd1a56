import { expect, it } from 'vitest';
import { LogBudget } from './log-budget.js';

it('lets a few lines of each kind through, then says how many it left out', () => {
  const budget = new LogBudget(2, 1000);
  expect(budget.take('a', 0)).toEqual({ leftOut: 0 });
  expect(budget.take('a', 1)).toEqual({ leftOut: 0 });
  expect(budget.take('a', 2)).toBeUndefined();
  expect(budget.take('b', 3)).toEqual({ leftOut: 0 });
  expect(budget.take('a', 999)).toBeUndefined();
  expect(budget.take('a', 1000)).toEqual({ leftOut: 2 });
  expect(budget.take('a', 1001)).toEqual({ leftOut: 0 });
  expect(budget.take('a', 5000)).toEqual({ leftOut: 0 });
});
