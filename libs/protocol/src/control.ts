import * as z from 'zod/mini';

/** Messages from the gateway itself, about the stream. They come whatever `types` the client asked for. */
export const control = {
  /** The first event of every stream. */
  Connected: z.object({
    connection_id: z.string(),
    keep_alive_seconds: z.number(),
    resumed: z.enum(['fresh', 'resumed', 'gap']),
  }),
  /** What was missed cannot be replayed: refetch after `delay_ms`. */
  Resync: z.object({
    reason: z.enum(['unknown_cursor', 'gap', 'log_lost', 'too_large', 'lagging']),
    delay_ms: z.number(),
    criticals: z.enum(['complete', 'truncated']),
  }),
  /** The replica is draining: open the next stream after `delay_ms`. */
  Reconnect: z.object({ delay_ms: z.number() }),
  /** The token or the right to connect is gone; the stream ends. */
  Revoked: z.object({ reason: z.string() }),
} as const;

export type ControlType = keyof typeof control;
export type ControlMessageOf<Type extends ControlType> = z.infer<(typeof control)[Type]>;

export const isControlType = (type: string): type is ControlType => Object.hasOwn(control, type);
