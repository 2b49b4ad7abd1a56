import type { Server } from 'node:http';

const HEADERS_MS = 15_000;
/** Node ends requests that are late at the next of its looks; its own interval is 30 s. */
const LOOK_MS = 5000;

/**
 * Bounds how long a request may take to arrive. The reader of bodies has a deadline of its own, and says so to the
 * sender; this one ends what nobody reads. Requests that are complete, streams among them, are not touched.
 */
export function boundRequests(server: Server, bodySeconds: number): void {
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = HEADERS_MS + bodySeconds * 1000;
  // An option of the constructor, which is NestJS'; Node reads it when it begins to listen.
  Object.assign(server, { connectionsCheckingInterval: LOOK_MS });
}
