import { createHash } from 'node:crypto';
import { z } from 'zod';
import { beginning } from '../http/schemas.js';
import { cutText } from '../parsing/text.js';
import type { EventInput } from './event-input.js';

/** What identifies a stack, and its title. Described in docs/stacks.md. */
export interface Signature {
  readonly hash: string;
  readonly title: string;
}

const TOP_FRAMES = 3;
const MAX_TITLE = 500;
/** Characters of a field that are read; longer fields are cut first. */
const LOOKED_AT = { name: 500, message: 2000, file: 2000, trace: 16_384, manual: 2000 } as const;
/** Entries of a signature that the client chose. */
const MOST_PARTS = 50;

const text = (most: number) => beginning(most).optional().catch(undefined);
const frame = z
  .object({
    name: text(LOOKED_AT.name),
    declaring_type: text(LOOKED_AT.name),
    file_name: text(LOOKED_AT.file),
  })
  .catch({});
const error = z.object({
  type: text(LOOKED_AT.name),
  message: text(LOOKED_AT.message),
  stack_trace: z.unknown().transform(readTrace),
});
const manual = z.object({
  title: text(MAX_TITLE),
  signature_data: z.unknown().transform(readParts).pipe(z.array(z.string()).min(1)),
});

export function signatureOf(event: EventInput): Signature {
  const named = manual.safeParse(event.data['@stack']);
  if (named.success) {
    const { title, signature_data: parts } = named.data;
    return signature(['manual', ...parts], title ?? event.message ?? titleOf(event));
  }
  const thrown = error.safeParse(event.data['@error'] ?? event.data['@simple_error']);
  if (thrown.success) {
    const { type = 'Error', message = event.message ?? '', stack_trace: frames } = thrown.data;
    return signature([event.type, type, patternOf(message), ...frames], message === '' ? type : message);
  }
  return signature([event.type, event.source ?? '', patternOf(event.message ?? '')], titleOf(event));
}

/**
 * A message without the parts that differ between occurrences: numbers, ids, quoted text, addresses.
 * The work is bounded: each replacement is one linear pass.
 */
export function patternOf(message: string): string {
  return message
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '*')
    .replace(/https?:\/\/\S+/gi, '*')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '*')
    .replace(/\b0x[0-9a-f]+\b|\b[0-9a-f]{16,}\b/gi, '*')
    .replace(/\d+(?:[.,:]\d+)*/g, '*')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The top frames of a trace, which is a list or one string. */
function readTrace(trace: unknown): string[] {
  if (typeof trace === 'string') {
    return trace
      .slice(0, LOOKED_AT.trace)
      .split('\n')
      .map((row) => row.replace(/:\d+/g, '').trim())
      .filter((row) => row.startsWith('at '))
      .slice(0, TOP_FRAMES);
  }
  if (!Array.isArray(trace)) return [];
  return trace
    .slice(0, TOP_FRAMES)
    .map((one) => frame.parse(one))
    .map(
      ({ name = '', declaring_type: type = '', file_name: file = '' }) => `${type}.${name}@${fileOf(file)}`,
    );
}

/** Names and values of a signature that the client chose, sorted by name. A value that is not a string makes it invalid. */
function readParts(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  return firstOf(data, MOST_PARTS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) => [
      cutText(name, LOOKED_AT.manual),
      typeof value === 'string' ? cutText(value, LOOKED_AT.manual) : value,
    ]);
}

/** The first entries, however many there are. */
function firstOf(data: object, most: number): [string, unknown][] {
  const entries: [string, unknown][] = [];
  for (const name in data) {
    if (entries.length === most) break;
    if (Object.hasOwn(data, name)) entries.push([name, (data as Record<string, unknown>)[name]]);
  }
  return entries;
}

/** The file name without what a build or a deployment changes: folders, query, content hash. */
function fileOf(path: string): string {
  const name = path.split(/[?#]/, 1)[0]?.split(/[\\/]/).at(-1) ?? '';
  const dot = name.lastIndexOf('.');
  if (dot < 0 || !/^\w+$/.test(name.slice(dot + 1))) return name;
  const hash = startOfHash(name, dot);
  return hash === undefined ? name : name.slice(0, hash) + name.slice(dot);
}

const SHORTEST_HASH = 8;

/**
 * The index of the dot or hyphen before a content hash, as in `router-Bq1x9Zk2.js`. One pass from the end: a regular
 * expression would scan from every hyphen to the end.
 */
function startOfHash(name: string, end: number): number | undefined {
  let run = end;
  while (run > 0 && /[\w-]/.test(name.charAt(run - 1))) run -= 1;
  const start = name.charAt(run - 1) === '.' ? run - 1 : name.indexOf('-', run);
  return start < 0 || end - start - 1 < SHORTEST_HASH ? undefined : start;
}

function titleOf({ message, source, type }: EventInput): string {
  return message ?? source ?? type;
}

function signature(parts: readonly string[], title: string): Signature {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return { hash, title: cutText(title, MAX_TITLE) };
}
