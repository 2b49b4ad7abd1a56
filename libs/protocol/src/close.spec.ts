import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { closeTable, shouldComeBack } from './close.js';
import { refusalTable } from './refusal.js';

const document = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8');

/** The rows of the document's table whose first column has this title, by their first column. */
function tableOf(title: string): Map<string, string[]> {
  const lines = document.split('\n');
  const head = lines.findIndex((line) => new RegExp(`^\\| ${title} +\\|`).test(line));
  const end = lines.findIndex((line, index) => index > head && !line.startsWith('|'));
  const rows = lines.slice(head + 2, end).map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(rows.map(([, first = '', ...rest]) => [first, rest]));
}
const saysYes = (cell = ''): boolean => cell.startsWith('yes');

describe('the document', () => {
  const closes = tableOf('reason');
  const refusals = tableOf('refusal');

  it('has a row for each reason of a close and of a refusal, and no other', () => {
    const named = Object.keys(closeTable).map((reason) => reason.replace('_', ' '));
    expect([...closes.keys()]).toEqual(named);
    expect([...refusals.keys()]).toEqual(Object.keys(refusalTable));
  });

  it.each(Object.entries(closeTable))('tells how a stream ends that is %s', (reason, row) => {
    const [sse = '', webSocket = '', comeBack] = closes.get(reason.replace('_', ' ')) ?? [];
    expect(webSocket).toContain(`close ${row.webSocket}`);
    for (const control of ['Revoked', 'Reconnect'] as const) {
      expect(webSocket.includes(control)).toBe(row.control === control);
      expect(sse.includes(control)).toBe(row.control === control);
    }
    expect(saysYes(comeBack)).toBe(row.comeBack);
  });

  it.each(Object.entries(refusalTable))('tells how a stream is refused that is %s', (reason, row) => {
    const [, sse = '', webSocket, old, comeBack] = refusals.get(reason) ?? [];
    const code = row.webSocket === undefined ? String(row.http) : `close ${row.webSocket}`;
    expect(sse).toBe(row.comeBack ? `${row.http}, \`Retry-After\`` : String(row.http));
    expect(webSocket).toBe(code);
    expect(old).toBe(row.old === 'accept' ? code : String(row.http));
    expect(saysYes(comeBack)).toBe(row.comeBack);
  });
});

describe('a client that sees only a close code', () => {
  it.each([...Object.values(closeTable), ...Object.values(refusalTable)])(
    'decides as the tables do: $webSocket',
    ({ webSocket, comeBack }) => {
      if (webSocket === undefined || webSocket === 1000) return;
      expect(shouldComeBack(webSocket)).toBe(comeBack);
    },
  );

  it.each([1000, 1001, 1005, 1006, 1009, 3000, 4399, 4500])(
    'comes back after %d, which says nothing',
    (code) => {
      expect(shouldComeBack(code)).toBe(true);
    },
  );

  it.each([4400, 4404, 4499])('does not come back after %d, which a newer gateway may send', (code) => {
    expect(shouldComeBack(code)).toBe(false);
  });
});
