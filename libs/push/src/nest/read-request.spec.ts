import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { readConnectRequest } from './read-request.js';

const read = (query: string, headers: Record<string, string> = {}) =>
  readConnectRequest('sse', { url: `/api/v2/push${query}`, headers } as unknown as IncomingMessage, {
    addressOf: () => 'somewhere',
  });

describe('what a client asks for', () => {
  it.each([
    ['', {}, undefined],
    ['?last_event_id=a', {}, 'a'],
    ['?lastEventId=a', {}, 'a'],
    // The first is in the URL that a program wrote down once, the second is added by the library.
    ['?last_event_id=stale&lastEventId=a', {}, 'a'],
    ['?lastEventId=a&last_event_id=stale', {}, 'a'],
    ['?last_event_id=stale&lastEventId=older', { 'last-event-id': 'a' }, 'a'],
    ['?last_event_id=&lastEventId=', { 'last-event-id': '' }, undefined],
    ['?last_event_id=a&lastEventId=', { 'last-event-id': '' }, 'a'],
    ['?lastEventId=a%2Fb+c', {}, 'a/b c'],
    ['?lasteventid=a&LastEventId=b&last-event-id=c', {}, undefined],
  ])('reads the cursor of %j with %j', (query, headers, cursor) => {
    expect(read(query, headers).cursor).toBe(cursor);
  });

  it.each([
    ['', {}, false],
    ['?client=', {}, false],
    ['?clients=web/1', {}, false],
    ['?types=StackChanged&last_event_id=a&refusal=stream', {}, false],
    ['?client=web/1.0', {}, true],
    // Not a name that can be shown, but somebody who has read of it.
    ['?client=my app', {}, true],
    ['', { 'sec-websocket-protocol': 'crossfade.1' }, true],
    ['', { 'sec-websocket-protocol': 'mqtt ,  crossfade.1' }, true],
    ['', { 'sec-websocket-protocol': 'crossfade.10, crossfade' }, false],
    ['?client=', { 'sec-websocket-protocol': '' }, false],
  ])('knows whether %j with %j knows Resync', (query, headers, knowsResync) => {
    expect(read(query, headers).knowsResync).toBe(knowsResync);
  });
});
