import { ExactNumber } from './exact-number.js';

/** Replaces NUL, which PostgreSQL refuses, and lone surrogates, which JSON refuses, by U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/**
 * The beginning of a text, ready for the database. It is cut before it is cleaned, so that the rest costs nothing. A
 * surrogate pair is never cut in half.
 */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return cleanText(text);
  return cleanText(text.slice(0, isWithinPair(text, most) ? most - 1 : most));
}

/** Whether a cut there would split a surrogate pair. */
const isWithinPair = (text: string, at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;

/** Deeper values of a document become null: nobody reads them, and they could exhaust the stack. */
export const MAX_DEPTH = 32;

/** Values of a document that are kept; the rest is dropped. */
const MAX_VALUES = 20_000;

/** Prepares a JSON value for the database: cleans every string, names included, and drops values beyond the bounds. */
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

/** Whether a JSON value is nested deeper than allowed. Looks no deeper itself. */
export function isTooDeep(value: unknown, left = MAX_DEPTH): boolean {
  if (!isDocument(value)) return false;
  return left === 0 || Object.values(value).some((one) => isTooDeep(one, left - 1));
}

/** Whether a value is a JSON object or array; an `ExactNumber` is neither. */
export const isDocument = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
