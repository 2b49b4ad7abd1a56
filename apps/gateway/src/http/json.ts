import { parseExactly } from '../parsing/exact-number.js';
import { TimeSlice } from '../process/time-slice.js';

/** Characters that are parsed at once; that takes some milliseconds. */
const AT_ONCE = 256 * 1024;

/** Values between two cuts. Some megabytes of brackets would take half a second. */
const MOST_VALUES = 100_000;

/** One part of a text has more values than may be parsed at once. */
export class TooManyValues extends Error {
  override readonly name = 'TooManyValues';
  constructor() {
    super(`more than ${MOST_VALUES} values in one`);
  }
}

/**
 * `parseExactly`, except that a long array is parsed in pieces, so that other work can run in between. A piece is the text
 * between two commas of the outermost array. The pieces make up the text, so the whole is valid exactly if every piece
 * is. @throws SyntaxError or TooManyValues
 */
export async function parseJson(text: string): Promise<unknown> {
  if (text.length <= AT_ONCE) return parseExactly(text);
  const isArray = /^[\t\n\r ]*\[/.test(text.slice(0, 100));
  const items: unknown[] = [];
  const pieces = new Pieces(text, isArray);
  const slice = new TimeSlice();
  for (;;) {
    const piece = pieces.next();
    if (piece === undefined) return items;
    if (piece === 'whole') return parseExactly(text);
    if (piece !== 'searching') for (const item of listOf(piece)) items.push(item);
    if (slice.isOver) await slice.next();
  }
}

function listOf({ text, isOnly }: { text: string; isOnly: boolean }): unknown[] {
  const list = parseExactly(`[${text}]`) as unknown[];
  // Nothing between two commas is no element; nothing between the brackets is an empty array.
  if (list.length === 0 && !isOnly) throw new SyntaxError('an element is missing');
  return list;
}

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_OBJECT, CLOSE_OBJECT] = [34, 92, 44, 91, 93, 123, 125];

/** Cuts the outermost array at commas. Invalid JSON may be cut anywhere: then a piece is invalid, too. */
class Pieces {
  #at = 0;
  #from = 0;
  #depth = 0;
  #values = 0;
  #inString = false;
  #isFirst = true;
  #isDone = false;

  /** Any other value is only scanned, and stays one piece. */
  constructor(
    private readonly text: string,
    private readonly isArray: boolean,
  ) {
    if (!isArray) return;
    this.#at = this.#from = text.indexOf('[') + 1;
    this.#depth = 1;
  }

  /** Scans a bounded part of the text. @throws SyntaxError if the array does not end where the text does */
  next(): { text: string; isOnly: boolean } | 'searching' | 'whole' | undefined {
    if (this.#isDone) return undefined;
    const until = Math.min(this.text.length, this.#at + AT_ONCE);
    for (; this.#at < until; this.#at += 1) {
      const code = this.text.charCodeAt(this.#at);
      if (this.#inString) {
        if (code === BACKSLASH) this.#at += 1;
        else if (code === QUOTE) this.#inString = false;
      } else if (code === QUOTE) this.#inString = true;
      else if (code === OPEN || code === OPEN_OBJECT) this.#enter();
      else if (code === CLOSE || code === CLOSE_OBJECT) {
        this.#depth -= 1;
        if (this.isArray && this.#depth === 0) return this.#last();
      } else if (code === COMMA) {
        this.#count();
        if (this.isArray && this.#depth === 1 && this.#at - this.#from >= AT_ONCE / 2) return this.#cut();
      }
    }
    if (this.#at < this.text.length) return 'searching';
    if (this.isArray) throw new SyntaxError('the array does not end');
    return 'whole';
  }

  #enter(): void {
    this.#depth += 1;
    this.#count();
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > MOST_VALUES) throw new TooManyValues();
  }

  #cut() {
    const piece = { text: this.text.slice(this.#from, this.#at), isOnly: false };
    this.#at += 1;
    this.#from = this.#at;
    this.#values = 0;
    this.#isFirst = false;
    return piece;
  }

  #last() {
    this.#isDone = true;
    if (this.text.charCodeAt(this.#at) !== CLOSE || this.text.slice(this.#at + 1).trim() !== '')
      throw new SyntaxError('the text does not end with the array');
    return { text: this.text.slice(this.#from, this.#at), isOnly: this.#isFirst };
  }
}
