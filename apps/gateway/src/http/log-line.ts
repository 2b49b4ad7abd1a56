/** How many characters a line of the log may have. */
const MOST = 4096;
/** What a text of a longer line is cut to. */
const TEXT = 1500;
const FIELDS = 12;
/** What still fits when each character of it takes six. */
const ESCAPED = 600;

/** A line of the log as it is, or cut: whatever somebody made somebody log, a line stays one that can be read. */
export function boundLine(line: string): string {
  if (line.length <= MOST) return line;
  const cut = JSON.stringify({ ...(shorten(JSON.parse(line), 0) as object), cut: true });
  // Many long texts are still too much: when, how grave, and the beginning of what was said remain.
  if (cut.length < MOST) return `${cut}\n`;
  const { level, time, msg } = JSON.parse(cut) as Record<string, unknown>;
  return `${JSON.stringify({ level, time, msg: String(msg).slice(0, ESCAPED), cut: true })}\n`;
}

function shorten(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.length > TEXT ? `${value.slice(0, TEXT)}…` : value;
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 3) return undefined;
  if (Array.isArray(value)) return value.slice(0, FIELDS).map((one) => shorten(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, FIELDS)
      .map(([name, one]) => [name.slice(0, 100), shorten(one, depth + 1)]),
  );
}
