import { ExactNumber } from './exact-number.js';

/** PostgreSQL refuses NUL, and JSON lone surrogates: both become U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/**
 * The beginning of a text, as the database takes it: cut first, so that what is thrown away costs nothing, then cleaned.
 * A character that does not fit is left out whole.
 */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return cleanText(text);
  return cleanText(text.slice(0, isWithinPair(text, most) ? most - 1 : most));
}

/** Whether a cut there would leave half a character on either side. */
const isWithinPair = (text: string, at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;

/** Deeper values of a document are left out: nobody reads them, and they could exhaust the stack. */
export const MAX_DEPTH = 32;

/** Values of a document that are kept; the rest is left out. */
const MAX_VALUES = 20_000;

/** A JSON value as the database takes it: every string is cleaned, names included; what is too deep or too much is not there. */
export function cleanJson(value: unknown): unknown {
  return clean(value, 0, { left: MAX_VALUES });
}

function clean(value: unknown, depth: number, budget: { left: number }): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (!isDocument(value)) return value;
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
    kept.push([cleanText(name), clean(value[name], depth + 1, budget)]);
  }
  return Object.fromEntries(kept);
}

/** Whether something in a JSON value is deeper than it may be. Looks no deeper itself. */
export function isTooDeep(value: unknown, left = MAX_DEPTH): boolean {
  if (!isDocument(value)) return false;
  return left === 0 || Object.values(value).some((one) => isTooDeep(one, left - 1));
}

/** An object or an array of JSON: a number that is kept by its digits is neither. */
export const isDocument = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
