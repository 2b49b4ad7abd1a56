import type { PlanId } from '../database/schema/organizations.js';

/** Events that an organization may send in a month and in an hour (UTC); null: any number. */
export const plans = {
  free: { month: 3000, hour: 300 },
  small: { month: 15_000, hour: 1500 },
  unlimited: { month: null, hour: null },
} as const satisfies Readonly<Record<PlanId, Readonly<Record<Period, number | null>>>>;

export const periods = ['hour', 'month'] as const;
export type Period = (typeof periods)[number];

/** When the period of `now` began, UTC. */
export function startOf(period: Period, now: Date): Date {
  return period === 'hour'
    ? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), now.getUTCHours()))
    : new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()));
}

/** When the next period begins. */
export function endOf(period: Period, now: Date): Date {
  const start = startOf(period, now);
  if (period === 'hour') start.setUTCHours(start.getUTCHours() + 1);
  else start.setUTCMonth(start.getUTCMonth() + 1);
  return start;
}

/** The part of a batch that a plan allows: its first events, up to the limit. */
export interface Share {
  readonly planId: PlanId;
  readonly fits: number;
  /** The periods whose limit the whole batch would exceed. */
  readonly over: readonly Period[];
}

/** `used`: events of the current periods, which may exceed the limits of a plan that was made smaller. */
export function shareOf(planId: PlanId, used: Readonly<Record<Period, number>>, events: number): Share {
  const roomOf = (period: Period): number => (plans[planId][period] ?? Infinity) - used[period];
  return {
    planId,
    fits: Math.max(0, Math.min(events, ...periods.map(roomOf))),
    over: periods.filter((period) => events > roomOf(period)),
  };
}
