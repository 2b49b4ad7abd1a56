import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

/** "5 minutes ago", updated every second while it is shown. */
export function ago(date: string): string {
  subscribe();
  const seconds = Math.min(0, Math.round((Date.parse(date) - Date.now()) / 1000));
  for (const [unit, length] of UNITS) {
    if (-seconds >= length) return relative.format(Math.ceil(seconds / length), unit);
  }
  return 'just now';
}

/** Seconds until `performance.now` reaches this time, at least 0, updated while they are shown. */
export function secondsUntil(milliseconds: number): number {
  subscribe();
  return Math.max(0, Math.ceil((milliseconds - performance.now()) / 1000));
}
