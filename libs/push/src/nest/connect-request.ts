import type { IncomingMessage } from 'node:http';
import { parameter } from '@crossfade/protocol';
import type { ConnectRequest, Refusal, Ticket } from '../admission.js';
import type { TransportName } from '../metrics.js';
import type { ResolvedPushOptions } from '../options.js';

/** What became of a request at the door. */
export interface Decision {
  readonly outcome: { readonly ticket: Ticket } | { readonly refusal: Refusal };
  /** Aborts when the client leaves. */
  readonly gone: AbortSignal;
  /** Stop listening for that, and let go of all of this. */
  forget(): void;
}

/** Decisions on their way from the guard, or the upgrade check, to the handler that opens the stream. */
export const decisions = new WeakMap<IncomingMessage, Decision>();

const CLIENT = /^[\w.-]{1,64}\/[\w.+-]{1,64}$/;
const MAX_TYPES = 64;

/** Reads what either transport's client asks for. Headers win over the query: EventSource repeats a stale query. */
export function readConnectRequest(
  transport: TransportName,
  request: IncomingMessage,
  { addressOf }: Pick<ResolvedPushOptions, 'addressOf'>,
): ConnectRequest {
  const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
  const client = query.get(parameter.client) ?? '';
  return {
    transport,
    credential: bearerOf(request) ?? (query.get(parameter.token) || undefined),
    origin: request.headers.origin,
    host: request.headers.host,
    address: addressOf(request),
    cursor: header(request, 'last-event-id') || query.get(parameter.cursor) || undefined,
    client: CLIENT.test(client) ? client : 'unknown',
    types: readTypes(query.get(parameter.types)),
    replaces: query.get(parameter.replaces) || undefined,
    wantsStream: query.get(parameter.refusal) === 'stream',
  };
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function readTypes(types: string | null): ReadonlySet<string> | undefined {
  const wanted = (types ?? '').split(',').filter(Boolean).slice(0, MAX_TYPES);
  return wanted.length === 0 ? undefined : new Set(wanted);
}
