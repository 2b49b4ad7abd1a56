import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeSseData,
  decodeWebSocketFrame,
  encodeSseData,
  encodeWebSocketFrame,
  readControl,
} from './envelope.js';
import { readMessage } from './catalog/read-message.js';

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\n\n', '\r', '\r\n', 'data: x\n\n', 'id: 1', '\0', '\u2028', '\uD800', '"}}'),
);
const envelope = fc.record({ type: hostile, message: fc.dictionary(hostile, hostile) });

describe('the envelope', () => {
  it('is one line, whatever text it carries, and comes back equal on both transports', () => {
    fc.assert(
      fc.property(envelope, hostile, (sent, id) => {
        const expected = JSON.parse(JSON.stringify(sent)) as unknown;
        const data = encodeSseData(sent);
        expect(data).not.toMatch(/[\r\n]/);
        expect(decodeSseData(data)).toEqual(expected);
        expect(decodeWebSocketFrame(encodeWebSocketFrame(id, data))).toEqual({
          id: JSON.parse(JSON.stringify(id)),
          envelope: expected,
        });
      }),
      { numRuns: 1000 },
    );
  });

  it('reads keep-alives of both kinds', () => {
    expect(encodeWebSocketFrame(undefined)).toBe('{}');
    expect(encodeWebSocketFrame('c-1')).toBe('{"id":"c-1"}');
    expect(decodeWebSocketFrame('{}')).toEqual({});
    expect(decodeWebSocketFrame('{"id":"c-1"}')).toEqual({ id: 'c-1' });
  });

  it.each(['', 'null', '[]', '1', '{"type":1}', 'not json', '{"id":5}'])('reads nothing from %j', (text) => {
    expect(decodeSseData(text)).toBeUndefined();
    if (text !== '{"type":1}') expect(decodeWebSocketFrame(text)).toBeUndefined();
  });

  it('tells control messages from messages, and leaves out what is unknown or malformed', () => {
    expect(readControl({ type: 'Reconnect', message: { delay_ms: 5, more: true } })).toEqual({
      type: 'Reconnect',
      message: { delay_ms: 5 },
    });
    expect(readControl({ type: 'Reconnect', message: {} })).toBeUndefined();
    expect(readControl({ type: 'PlanChanged', message: { organization_id: 'o' } })).toBeUndefined();
    expect(readMessage({ type: 'PlanChanged', message: { organization_id: 'o', of_the_future: 1 } })).toEqual(
      {
        type: 'PlanChanged',
        message: { organization_id: 'o' },
      },
    );
    for (const type of ['Unknown', 'constructor', '__proto__', 'toString']) {
      expect(readMessage({ type, message: {} })).toBeUndefined();
      expect(readControl({ type, message: {} })).toBeUndefined();
    }
  });

  it('fills in what an older publisher left out', () => {
    const read = readMessage({ type: 'StackChanged', message: { type: 'Stack', change_type: 1 } });
    expect(read?.message).toEqual({ type: 'Stack', change_type: 1, data: {} });
  });
});
