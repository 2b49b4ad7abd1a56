import { randomUUID } from 'node:crypto';

declare global {
  interface JSON {
    /** V8 has it; TypeScript's library does not declare it yet. */
    rawJSON(text: string): object;
  }
}

/**
 * A JSON number that a JavaScript number would change, such as an integer beyond 2^53. It keeps its digits, and is
 * written as it came. It has no properties, so nothing reads it as an object.
 */
export class ExactNumber {
  readonly #digits: string;

  constructor(digits: string) {
    this.#digits = digits;
  }

  toString(): string {
    return this.#digits;
  }

  toJSON(): object {
    return JSON.rawJSON(this.#digits);
  }
}

/** Shorter numbers are exact in JavaScript: any fifteen digits are. */
const FEWEST_CHARACTERS = 16;
/** Nobody calculates with longer numbers, and the database has a bound of its own. */
const MOST_CHARACTERS = 100;

/** Matches where such a number may begin, or a string with digits in it. */
const LONG = /[[:,\s]-?[\d.]{16}/;
/** No exponent: a few characters of it can stand for any number of digits. */
const PLAIN = /^-?\d+(?:\.\d+)?$/;

/**
 * `JSON.parse` that changes no number of up to a hundred characters. It first turns such numbers into strings with a mark
 * that nobody outside can know, then the strings into `ExactNumber`s. JavaScript's own means, a reviver that is called for
 * every value, takes fifty times as long, and fails on deep nesting. @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  const parsed: unknown = JSON.parse(text);
  if (!LONG.test(text)) return parsed;
  const mark = randomUUID();
  const marked = markNumbers(text, mark);
  return marked === text ? parsed : takeMarks(JSON.parse(`[${marked}]`) as [unknown], mark)[0];
}

const isChanged = (literal: string): boolean =>
  literal.length >= FEWEST_CHARACTERS &&
  literal.length <= MOST_CHARACTERS &&
  PLAIN.test(literal) &&
  String(Number(literal)) !== literal;

const [SPACE, QUOTE, COMMA, MINUS, ZERO, NINE, BACKSLASH, CLOSE, CLOSE_OBJECT] = [
  32, 34, 44, 45, 48, 57, 92, 93, 125,
];

/** Rewrites a valid JSON text, with the numbers that JavaScript would change as marked strings. */
function markNumbers(text: string, mark: string): string {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfText(text, at);
    else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const begin = at;
      at = endOfNumber(text, at);
      if (at - begin + 1 < FEWEST_CHARACTERS) continue;
      const literal = text.slice(begin, at + 1);
      if (!isChanged(literal)) continue;
      parts.push(text.slice(from, begin), `"${mark}${literal}"`);
      from = at + 1;
    }
  }
  return parts.join('') + text.slice(from);
}

/** The index of the quote that ends the string which begins there. */
function endOfText(text: string, begin: number): number {
  for (let at = text.indexOf('"', begin + 1); ; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((at - before) % 2 === 0) return at;
  }
}

/** The index of the last character of the number which begins there. */
function endOfNumber(text: string, begin: number): number {
  for (let at = begin; ; at += 1) {
    const next = text.charCodeAt(at + 1);
    // At the end of the text, `next` is NaN, which is not greater than a space either.
    if (!(next > SPACE) || next === COMMA || next === CLOSE || next === CLOSE_OBJECT) return at;
  }
}

/** Replaces marked strings, in place. Not recursive: a JSON text may be nested deeper than the call stack allows. */
function takeMarks<Root extends object>(root: Root, mark: string): Root {
  const waiting: object[] = [root];
  const look = (inside: object, name: string | number, value: unknown): void => {
    if (typeof value === 'object' && value !== null) waiting.push(value);
    else if (typeof value === 'string' && value.startsWith(mark))
      // Not an assignment: the name may be `__proto__`.
      Object.defineProperty(inside, name, { value: new ExactNumber(value.slice(mark.length)) });
  };
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    if (Array.isArray(inside)) for (let at = 0; at < inside.length; at += 1) look(inside, at, inside[at]);
    else for (const name in inside) look(inside, name, (inside as Record<string, unknown>)[name]);
  }
  return root;
}
