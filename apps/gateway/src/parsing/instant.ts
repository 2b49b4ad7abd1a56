/** ISO 8601, extended format: a date, or a date and time, perhaps with an offset from UTC. */
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d+))?)?(Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?$/i;

/** Reads a date; undefined if it is not valid. Without an offset it is UTC, wherever the gateway runs. */
export function readInstant(text: string): Date | undefined {
  const [, day, hour = '0', minute = '0', second = '0', fraction = '', offset = 'Z'] = ISO.exec(text) ?? [];
  if (day === undefined) return undefined;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // JavaScript accepts February 30 as another day.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return undefined;
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const minutes = Number(hour) * 60 + Number(minute) - offsetMinutes(offset);
  return new Date(midnight + (minutes * 60 + Number(second)) * 1000 + milliseconds);
}

function offsetMinutes(offset: string): number {
  if (offset.toUpperCase() === 'Z') return 0;
  const [hours = '0', minutes = '0'] = offset.slice(1).match(/\d\d/g) ?? [];
  return (offset.startsWith('-') ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
