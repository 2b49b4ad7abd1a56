import { json } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';

/** What is pushed: the wire's envelope. */
export interface Message {
  readonly type: string;
  readonly message: unknown;
}

/** Reads one message or several, as the gateway does. */
export async function readMessages(request: IncomingMessage): Promise<readonly Message[]> {
  const body = (await json(request)) as Message | readonly Message[];
  return Array.isArray(body) ? (body as readonly Message[]) : [body as Message];
}
