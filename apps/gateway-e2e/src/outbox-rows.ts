import { randomUUID } from 'node:crypto';
import { runSql } from '@crossfade/test-hosts';

/** An announcement as the outbox records it. */
export const notification = (text: string) => ({
  type: 'ReleaseNotification',
  data: JSON.stringify({
    type: 'ReleaseNotification',
    message: { critical: false, date: '2026-01-01T00:00:00Z', message: text },
  }),
  audience: [{ kind: 'everyone' }],
  delivery: 'critical',
  key: text,
});

/** An invalidation as the outbox records it. */
export const stale = (key: string) => ({
  type: 'StackChanged',
  data: JSON.stringify({ type: 'StackChanged', message: { type: 'Stack', change_type: 1, data: {} } }),
  audience: [{ kind: 'everyone' }],
  delivery: 'invalidation',
  key,
});

/** How many rows are in no log yet. One that is not critical leaves the outbox once it is. */
export const unappended = (databaseUrl: string): number =>
  Number(runSql(databaseUrl, 'SELECT count(*) FROM push_messages WHERE NOT critical OR cursor IS NULL'));

/** Puts a row into the outbox, as a gateway that shares its log with others does. `cursor`: the log has it there. */
export function insertRow(databaseUrl: string, message: unknown, critical: boolean, cursor?: string): void {
  const noted = cursor === undefined ? 'NULL, NULL' : `'${cursor}', 1e25`;
  runSql(
    databaseUrl,
    `INSERT INTO push_messages (record_id, message, critical, cursor, place)
       VALUES ('${randomUUID()}', '${JSON.stringify(message)}', ${critical}, ${noted})`,
  );
}
