import { randomUUID } from 'node:crypto';

declare global {
  interface JSON {
    /** What V8 has, and TypeScript's own description of it has not yet. */
    rawJSON(text: string): object;
  }
}

/**
 * A number of a JSON text that JavaScript's own numbers would change, such as an integer beyond 2^53: it keeps its
 * digits, and is written as it came. No object to whoever reads: it has no properties.
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

/** Shorter ones are what JavaScript has: any fifteen digits are. */
const FEWEST_CHARACTERS = 16;
/** Longer ones are no numbers that anybody counts with, and the database has a bound of its own. */
const MOST_CHARACTERS = 100;

/** Where such a number may begin, or a text with digits in it. */
const LONG = /[[:,\s]-?[\d.]{16}/;
/** No exponent: a few characters of one are as many digits as one likes. */
const PLAIN = /^-?\d+(?:\.\d+)?$/;

/**
 * `JSON.parse` that changes no number of up to a hundred characters. Those are made texts with a mark that nobody outside
 * can know, and then numbers: what JavaScript has for it, a function that is called for every value, takes fifty times as
 * long, and no deep text. @throws SyntaxError
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

/** A valid JSON text, with the numbers that JavaScript would change as texts. */
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

/** The place of the quote that ends the text which begins there. */
function endOfText(text: string, begin: number): number {
  for (let at = text.indexOf('"', begin + 1); ; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((at - before) % 2 === 0) return at;
  }
}

/** The place of the last character of the number which begins there. */
function endOfNumber(text: string, begin: number): number {
  for (let at = begin; ; at += 1) {
    const next = text.charCodeAt(at + 1);
    // After the last character there is none, which is no more than a space either.
    if (!(next > SPACE) || next === COMMA || next === CLOSE || next === CLOSE_OBJECT) return at;
  }
}

/** In place. Not by calls of itself: a JSON text may be nested deeper than calls can be. */
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
