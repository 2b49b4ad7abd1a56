import { Encoding } from '../encoding.js';
import { ControlFrame, type Frame } from '../frame.js';

/** One block of an event stream, in the fields that NestJS' `MessageEvent` has. No field holds a line break. */
export interface SseBlock {
  readonly id?: string;
  readonly data?: string;
  readonly comment?: string;
  readonly retry?: number;
}

/** A block as bytes have it: the data before the id, so that nobody keeps the id of a message that broke off. */
export function encodeBlock({ comment, data, id, retry }: SseBlock): string {
  return (
    (comment === undefined ? '' : `: ${comment}\n`) +
    (data === undefined ? '' : `data: ${data}\n`) +
    (id === undefined ? '' : `id: ${id}\n`) +
    (retry === undefined ? '\n' : `retry: ${retry}\n\n`)
  );
}

/** The first wait of a client that lost its stream, milliseconds; each stream gets one between it and its double. */
const RETRY_MS = 1000;

/** `retry:` goes at the start of a stream, and where it will end soon, jittered so that clients spread. */
export function blockOf(frame: Frame): SseBlock {
  const { id, data } = frame;
  const isRetryTold =
    frame instanceof ControlFrame &&
    (frame.message.type === 'Connected' || frame.message.type === 'Reconnect');
  return {
    ...(data === undefined ? { comment: 'keepalive' } : { data }),
    ...(id === undefined ? {} : { id }),
    ...(isRetryTold ? { retry: Math.round(RETRY_MS * (1 + Math.random())) } : {}),
  };
}

/** Plain, for a response that frames its body itself. */
export const sseBytes = new Encoding('sse', (frame) => Buffer.from(encodeBlock(blockOf(frame))));

/** Each block a chunk of HTTP/1.1 (RFC 9112, section 7.1), so that it can go straight to the socket. */
export const sseChunks = new Encoding('sse-chunks', (frame) => {
  const block = Buffer.from(encodeBlock(blockOf(frame)));
  return Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')]);
});
