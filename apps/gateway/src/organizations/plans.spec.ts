import { describe, expect, it } from 'vitest';
import { endOf, startOf } from './plans.js';

describe('periods', () => {
  it('begin and end with the calendar, UTC', () => {
    const now = new Date('2026-12-31T23:59:59.999Z');
    expect(startOf('hour', now).toISOString()).toBe('2026-12-31T23:00:00.000Z');
    expect(endOf('hour', now).toISOString()).toBe('2027-01-01T00:00:00.000Z');
    expect(startOf('month', now).toISOString()).toBe('2026-12-01T00:00:00.000Z');
    expect(endOf('month', now).toISOString()).toBe('2027-01-01T00:00:00.000Z');
    expect(endOf('month', new Date('2027-01-31T12:00:00Z')).toISOString()).toBe('2027-02-01T00:00:00.000Z');
  });
});
