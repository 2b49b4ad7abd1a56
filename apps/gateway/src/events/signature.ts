import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { EventInput } from './event-input.js';

/** What tells one stack from another, and what it is called. Described in docs/stacks.md. */
export interface Signature {
  readonly hash: string;
  readonly title: string;
}

const TOP_FRAMES = 3;
const MAX_TITLE = 500;

const optionalText = z.string().optional().catch(undefined);
const frame = z
  .object({ name: optionalText, declaring_type: optionalText, file_name: optionalText })
  .catch({});
const error = z.object({
  type: optionalText,
  message: optionalText,
  stack_trace: z
    .union([z.array(frame), z.string()])
    .optional()
    .catch(undefined),
});
const manual = z.object({
  title: optionalText,
  signature_data: z.record(z.string(), z.string()).refine((data) => Object.keys(data).length > 0),
});

export function signatureOf(event: EventInput): Signature {
  const named = manual.safeParse(event.data['@stack']);
  if (named.success) {
    const { title, signature_data: data } = named.data;
    const parts = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
    return signature(['manual', ...parts.flat()], title ?? event.message ?? titleOf(event));
  }
  const thrown = error.safeParse(event.data['@error'] ?? event.data['@simple_error']);
  if (thrown.success) {
    const { type = 'Error', message = event.message ?? '', stack_trace: trace } = thrown.data;
    return signature(
      [event.type, type, patternOf(message), ...framesOf(trace)],
      message === '' ? type : message,
    );
  }
  return signature([event.type, event.source ?? '', patternOf(event.message ?? '')], titleOf(event));
}

/**
 * A message without what changes from one occurrence to the next: numbers, ids, quoted text, addresses.
 * Bounded work: each replacement is one linear pass.
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

function framesOf(trace: z.output<typeof error>['stack_trace']): string[] {
  if (trace === undefined) return [];
  if (typeof trace === 'string') {
    return trace
      .split('\n')
      .map((row) => row.replace(/:\d+/g, '').trim())
      .filter((row) => row.startsWith('at '))
      .slice(0, TOP_FRAMES);
  }
  return trace
    .slice(0, TOP_FRAMES)
    .map(
      ({ name = '', declaring_type: type = '', file_name: file = '' }) => `${type}.${name}@${fileOf(file)}`,
    );
}

/** The file's own name without what a build or a deployment changes: folders, query, content hash. */
function fileOf(path: string): string {
  const name = path.split(/[?#]/, 1)[0]?.split(/[\\/]/).at(-1) ?? '';
  return name.replace(/[.-][0-9a-zA-Z_-]{8,}(?=\.\w+$)/, '');
}

function titleOf({ message, source, type }: EventInput): string {
  return message ?? source ?? type;
}

function signature(parts: readonly string[], title: string): Signature {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return { hash, title: title.slice(0, MAX_TITLE).toWellFormed() };
}
