/** Headers as in a message, one per line. */
export const readHeaderLines = (lines: readonly string[]): Headers =>
  new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
