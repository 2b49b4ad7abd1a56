const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

/** "5 minutes ago". Stateful, since its value changes with time. */
export function agoFilter(): (date: string) => string {
  const filter = (date: string): string => {
    const seconds = Math.min(0, Math.round((Date.parse(date) - Date.now()) / 1000));
    for (const [unit, length] of UNITS) {
      if (-seconds >= length) return relative.format(Math.ceil(seconds / length), unit);
    }
    return 'just now';
  };
  filter.$stateful = true;
  return filter;
}
