/** Characters of a log line. */
const MOST = 4096;
/** Characters of a string in a line that was too long. */
const TEXT = 1500;
const FIELDS = 12;
/** Fits even if each character is escaped as six. */
const ESCAPED = 600;

/** Cuts a log line that is too long, so that it stays readable whatever input was logged. */
export function boundLine(line: string): string {
  if (line.length <= MOST) return line;
  const cut = JSON.stringify({ ...(shorten(JSON.parse(line), 0) as object), cut: true });
  // Many long strings are still too much: keep the time, the level, and the beginning of the message.
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
