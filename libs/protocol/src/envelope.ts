import * as z from 'zod/mini';
import { control, isControlType, type ControlMessageOf, type ControlType } from './control.js';

/** What travels: a type and its message. */
export interface Envelope {
  readonly type: string;
  readonly message: unknown;
}

const envelope = z.object({ type: z.string(), message: z.unknown() });
const webSocketFrame = z.object({
  id: z.optional(z.string()),
  type: z.optional(z.string()),
  message: z.optional(z.unknown()),
});

/** What one WebSocket text frame says: a message, or (both transports' keep-alive) perhaps only a cursor. */
export interface WebSocketFrame {
  readonly id?: string;
  readonly envelope?: Envelope;
}

/** The payload of the SSE `data` field. One line: JSON escapes every line break. */
export const encodeSseData = ({ type, message }: Envelope): string => JSON.stringify({ type, message });

/** One WebSocket text frame. `data`: as in SSE; without it, the frame is a keep-alive: `{}`, or `{"id":…}`. */
export function encodeWebSocketFrame(id: string | undefined, data = '{}'): string {
  if (id === undefined) return data;
  const rest = data.slice(1);
  return `{"id":${JSON.stringify(id)}${rest === '}' ? '' : ','}${rest}`;
}

/** Reads the SSE `data` field; undefined if it is no envelope. */
export function decodeSseData(data: string): Envelope | undefined {
  const parsed = envelope.safeParse(parseJson(data));
  return parsed.success ? { type: parsed.data.type, message: parsed.data.message } : undefined;
}

/** Reads a WebSocket text frame; undefined if it is neither an envelope nor a keep-alive. */
export function decodeWebSocketFrame(text: string): WebSocketFrame | undefined {
  const parsed = webSocketFrame.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { id, type, message } = parsed.data;
  return {
    ...(id === undefined ? {} : { id }),
    ...(type === undefined ? {} : { envelope: { type, message } }),
  };
}

/** A control message, told apart by `type`. */
export type ControlMessage = {
  [Type in ControlType]: { readonly type: Type; readonly message: ControlMessageOf<Type> };
}[ControlType];

/** The control message that an envelope carries; undefined if it is none, or is malformed. */
export function readControl({ type, message }: Envelope): ControlMessage | undefined {
  if (!isControlType(type)) return undefined;
  const parsed = control[type].safeParse(message);
  // The schema was looked up by `type`, so the pair belongs together; TypeScript cannot follow the look-up.
  return parsed.success ? ({ type, message: parsed.data } as ControlMessage) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
