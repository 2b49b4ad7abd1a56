import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { SUBPROTOCOL, parameter } from '@crossfade/protocol';
import type { Admitted } from '../admission.js';
import type { ConnectRequest } from '../connect-request.js';
import type { ResolvedPushOptions } from '../options.js';
import type { Refused } from '../refusal.js';
import type { TransportName } from '../transport.js';
import { queryOf } from './request-target.js';

/** What admission decided about a request. */
export interface Decision {
  readonly outcome: Admitted | Refused;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  /** Stops listening for that, once the transport does. */
  forget(): void;
}

/** Hears when what carries a request closes. Call it before anything is acquired, which is released then. */
export function listenForDisconnect(carrier: EventEmitter): Pick<Decision, 'signal' | 'forget'> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  carrier.once('close', abort);
  return { signal: controller.signal, forget: () => carrier.off('close', abort) };
}

/** Decisions on their way from the guard, or the upgrade check, to the handler that opens the stream. */
const decisions = new WeakMap<IncomingMessage, Decision>();

export function putDecision(request: IncomingMessage, decision: Decision): void {
  decisions.set(request, decision);
}

/** Takes it out: a request lives as long as its stream, and would keep its decision. */
export function takeDecision(request: IncomingMessage): Decision | undefined {
  const decision = decisions.get(request);
  decisions.delete(request);
  return decision;
}

const CLIENT = /^[\w.-]{1,64}\/[\w.+-]{1,64}$/;
const MAX_TYPES = 64;

/** Whether a WebSocket client offers the subprotocol, and so understands more than an old one. */
export function offersSubprotocol({ headers }: IncomingMessage): boolean {
  return (headers['sec-websocket-protocol'] ?? '').split(',').some((one) => one.trim() === SUBPROTOCOL);
}

/** Reads what either transport's client asks for. */
export function readConnectRequest(
  transport: TransportName,
  request: IncomingMessage,
  { addressOf }: Pick<ResolvedPushOptions, 'addressOf'>,
): ConnectRequest {
  const query = queryOf(request);
  const client = query.get(parameter.client) ?? '';
  return {
    transport,
    credential: bearerOf(request) ?? (query.get(parameter.token) || undefined),
    origin: request.headers.origin,
    host: request.headers.host,
    address: addressOf(request),
    cursor: readCursor(request, query),
    client: CLIENT.test(client) ? client : 'unknown',
    // A client that says its name has read the protocol, however it spells it.
    knowsResync: client !== '' || offersSubprotocol(request),
    types: readTypes(query.get(parameter.types)),
    // Our own ids are in lower case.
    replaces: query.get(parameter.replaces)?.toLowerCase() || undefined,
    wantsStream: query.get(parameter.refusal) === 'stream',
  };
}

/** What a library adds when it reconnects wins over what a program wrote into its URL, which is stale by then. */
function readCursor(request: IncomingMessage, query: URLSearchParams): string | undefined {
  return (
    header(request, 'last-event-id') ||
    query.get(parameter.polyfilledCursor) ||
    query.get(parameter.cursor) ||
    undefined
  );
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
