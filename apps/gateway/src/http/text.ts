/** PostgreSQL refuses NUL, and JSON lone surrogates: both become U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Deeper values of a document are left out: nobody reads them, and they could exhaust the stack. */
const MAX_DEPTH = 32;

/** Cleans every string of a JSON value, names included. */
export function cleanJson(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((one) => cleanJson(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [cleanText(name), cleanJson(one, depth + 1)]),
  );
}
