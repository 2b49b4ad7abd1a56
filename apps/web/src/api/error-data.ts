import * as z from 'zod/mini';

const text = z.catch(z.optional(z.string()), undefined);
const frame = z.object({
  name: text,
  declaring_type: text,
  file_name: text,
  line_number: z.catch(z.optional(z.number()), undefined),
});
const error = z.object({
  type: text,
  message: text,
  stack_trace: z.catch(z.optional(z.union([z.array(frame), z.string()])), undefined),
});

/** The message and stack trace of an event's error, as far as it has them. */
export function readFrames(data: Record<string, unknown>): {
  message: string | undefined;
  rows: readonly string[];
} {
  const parsed = error.safeParse(data['@error'] ?? data['@simple_error']);
  if (!parsed.success) return { message: undefined, rows: [] };
  const { message, stack_trace: trace } = parsed.data;
  if (trace === undefined) return { message, rows: [] };
  if (typeof trace === 'string') return { message, rows: trace.split('\n') };
  return {
    message,
    rows: trace.map(({ name, declaring_type: type, file_name: file, line_number: row }) => {
      const called = [type, name].filter(Boolean).join('.') || '(anonymous)';
      return `at ${called} (${file ?? 'unknown'}${row ? `:${row}` : ''})`;
    }),
  };
}
