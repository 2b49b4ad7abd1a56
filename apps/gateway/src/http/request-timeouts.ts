import type { Server } from 'node:http';

const HEADERS_MS = 15_000;
/** How often Node looks for late requests; its default is 30 s. */
const LOOK_MS = 5000;

/**
 * Bounds how long a request may take to arrive. The body reader has a deadline of its own, and responds with it; this one
 * ends requests whose body nobody reads. Complete requests, streams among them, are not affected.
 */
export function boundRequests(server: Server, bodySeconds: number): void {
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = HEADERS_MS + bodySeconds * 1000;
  // It is a constructor option, and NestJS calls the constructor; Node reads it when it begins to listen.
  Object.assign(server, { connectionsCheckingInterval: LOOK_MS });
}
