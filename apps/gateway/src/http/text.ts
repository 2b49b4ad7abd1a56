/** PostgreSQL refuses NUL, and JSON lone surrogates: both become U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Deeper values of a document are left out: nobody reads them, and they could exhaust the stack. */
const MAX_DEPTH = 32;

/** Values of a document that are kept; the rest is left out. */
const MAX_VALUES = 20_000;

/** Cleans every string of a JSON value, names included. */
export function cleanJson(value: unknown): unknown {
  return clean(value, 0, { left: MAX_VALUES });
}

function clean(value: unknown, depth: number, budget: { left: number }): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return null;
  if (Array.isArray(value)) {
    const kept: unknown[] = [];
    for (const one of value) {
      if (budget.left-- <= 0) break;
      kept.push(clean(one, depth + 1, budget));
    }
    return kept;
  }
  const kept: [string, unknown][] = [];
  for (const name in value) {
    if (budget.left-- <= 0) break;
    kept.push([cleanText(name), clean((value as Record<string, unknown>)[name], depth + 1, budget)]);
  }
  return Object.fromEntries(kept);
}
