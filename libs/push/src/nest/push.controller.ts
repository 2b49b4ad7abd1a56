import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Controller,
  Get,
  Header,
  Inject,
  Req,
  Res,
  Sse,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type MessageEvent,
  type Type,
} from '@nestjs/common';
import type { PushSettings } from '@crossfade/protocol';
import { EMPTY, Observable, type Subscriber } from 'rxjs';
import type { Push } from '../push.js';
import { blockOf } from '../transports/sse-encoding.js';
import { SseTransport, type SseOutput } from '../transports/sse.js';
import { AdmissionGuard } from './admission.guard.js';
import { FrameWritingInterceptor, takeOvers } from './frame-writing.interceptor.js';
import { PUSH } from './injection-tokens.js';
import { raw } from './raw.js';
import { takeDecision } from './read-request.js';
import { RefusalException, RefusalFilter } from './refusal-response.js';

/** The controller, at a path. */
export function pushControllerAt(path: string): Type<PushRoutes> {
  @Controller(path)
  class PushController extends PushRoutes {}
  return PushController;
}

export class PushRoutes {
  constructor(@Inject(PUSH) private readonly push: Push) {}

  /** What an app asks before it opens a WebSocket that could not tell it why it was refused. Holds no secret. */
  @Get('settings')
  @Header('Cache-Control', 'no-store')
  settings(): PushSettings {
    const { enabled, keepAliveSeconds } = this.push.parts.resolved;
    return { enabled, ...(enabled ? { transport: 'sse' } : {}), keep_alive_seconds: keepAliveSeconds };
  }

  /** One stream of Server-Sent Events. It ends with its connection, not with the Observable. */
  @Sse()
  @UseGuards(AdmissionGuard)
  @UseFilters(RefusalFilter)
  @UseInterceptors(FrameWritingInterceptor)
  async stream(
    @Req() its: IncomingMessage,
    @Res({ passthrough: true }) answer: ServerResponse,
  ): Promise<Observable<MessageEvent>> {
    const request = raw(its);
    const response = raw(answer);
    const decision = takeDecision(request);
    if (decision?.outcome.outcome !== 'admitted') return EMPTY;
    const { outcome: admitted, signal, forget } = decision;
    const { streams, resolved } = this.push.parts;
    const transport = new SseTransport(response, resolved.stallSeconds * 1000);
    const opened = await streams.open(admitted, transport, signal);
    switch (opened.outcome) {
      case 'refused':
        throw new RefusalException(opened.refusal, admitted.request.wantsStream);
      case 'disconnected':
        return EMPTY;
      case 'opened':
        // From here on the transport hears of the end.
        forget();
        return new Observable((subscriber) => {
          const { onWritable } = transport;
          const takenOver = takeOvers.get(response)?.(onWritable);
          transport.attach(takenOver ?? events(subscriber, response, onWritable));
        });
    }
  }
}

/** The way through NestJS. It keeps an unbounded list of its own, so nothing may be emitted while the response is full. */
function events(
  subscriber: Subscriber<MessageEvent>,
  response: ServerResponse,
  onWritable: () => void,
): SseOutput {
  response.on('drain', onWritable);
  return {
    get writable() {
      return !response.writableNeedDrain && !response.destroyed;
    },
    write(frames) {
      for (const frame of frames) subscriber.next(blockOf(frame) as MessageEvent);
    },
    end: () => subscriber.complete(),
  };
}
