import { connect } from 'node:net';
import type pg from 'pg';

const CANCEL_REQUEST = 80_877_102;
const DEADLINE_MS = 3000;

/**
 * Asks the server to end what a connection runs, over another connection, as PostgreSQL has it. Without it, a statement
 * that waits for a lock would wait on for nobody. Nothing is known of its success.
 */
export function cancelQuery(client: pg.Client): void {
  const { host, port } = client;
  const { processID, secretKey } = client as unknown as {
    processID: number | null;
    secretKey: number | null;
  };
  if (processID === null || secretKey === null) return;
  const request = Buffer.alloc(16);
  [16, CANCEL_REQUEST, processID, secretKey].forEach((value, index) =>
    request.writeInt32BE(value, index * 4),
  );
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.on('error', () => socket.destroy());
  socket.setTimeout(DEADLINE_MS, () => socket.destroy());
  socket.end(request);
  socket.resume();
}
