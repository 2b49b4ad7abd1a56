import { encodeWebSocketFrame } from '@crossfade/protocol';
import { Encoding } from '../encoding.js';

/** A whole text message in one frame that is not masked, as servers send them (RFC 6455, section 5.2). */
const TEXT_MESSAGE = 0x81;

export const webSocketBytes = new Encoding('websocket', ({ id, data }) => {
  const text = Buffer.from(encodeWebSocketFrame(id, data));
  return Buffer.concat([frameHead(text.length), text]);
});

/** The two bytes before a short text; a longer one has its length in two more, or in eight. */
function frameHead(length: number): Buffer {
  if (length < 126) return Buffer.from([TEXT_MESSAGE, length]);
  if (length < 0x1_0000) return Buffer.from([TEXT_MESSAGE, 126, length >> 8, length & 0xff]);
  const head = Buffer.from([TEXT_MESSAGE, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}
