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
} from '@nestjs/common';
import { PUSH_PATH, PUSH_SETTINGS_PATH, type PushSettings } from '@crossfade/protocol';
import { EMPTY, Observable, type Subscriber } from 'rxjs';
import { Admission } from '../admission.js';
import type { ResolvedPushOptions } from '../options.js';
import { blockOf, SseTransport, type SseOutput } from '../transports/sse.js';
import { AdmissionGuard } from './admission.guard.js';
import { takeDecision } from './connect-request.js';
import { FrameWritingInterceptor, takeOvers } from './frame-writing.interceptor.js';
import { PUSH_OPTIONS } from './options.token.js';
import { raw } from './raw.js';
import { RefusalException, RefusalFilter } from './refusal.js';

@Controller()
export class PushController {
  constructor(
    private readonly admission: Admission,
    @Inject(PUSH_OPTIONS) private readonly options: ResolvedPushOptions,
  ) {}

  /** What an app asks before it opens a WebSocket that could not tell it why it was refused. Holds no secret. */
  @Get(PUSH_SETTINGS_PATH)
  @Header('Cache-Control', 'no-store')
  settings(): PushSettings {
    const { enabled, keepAliveSeconds } = this.options;
    return { enabled, ...(enabled ? { transport: 'sse' } : {}), keep_alive_seconds: keepAliveSeconds };
  }

  /** One stream of Server-Sent Events. The teardown of the Observable only stops the pump. */
  @Sse(PUSH_PATH)
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
    if (decision === undefined || !('ticket' in decision.outcome)) return EMPTY;
    const transport = new SseTransport(response, this.options.stallSeconds * 1000);
    const { ticket } = decision.outcome;
    const registered = await this.admission.register(ticket, transport, decision.gone);
    if ('refusal' in registered) throw new RefusalException(registered.refusal, ticket.request.wantsStream);
    if ('gone' in registered) return EMPTY;
    // From here on the transport hears of the end.
    decision.forget();
    return new Observable((subscriber) =>
      transport.attach(
        takeOvers.get(response)?.(transport.drained) ?? events(subscriber, response, transport.drained),
      ),
    );
  }
}

/** The way through NestJS: it keeps a list of its own, so that nothing may be emitted while the response is full. */
function events(
  subscriber: Subscriber<MessageEvent>,
  response: ServerResponse,
  drained: () => void,
): SseOutput {
  response.on('drain', drained);
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
