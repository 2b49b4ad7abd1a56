import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { ownerOf, type PublishingRequest } from '@crossfade/push';
import { isPushRoute } from '@crossfade/push/nest';
import { Observable } from 'rxjs';
import { publishingRequest } from '../database/publishing-request.js';
import { invalid } from '../http/problem.js';
import { uuid } from '../http/schemas.js';
import type { CalledRequest } from './caller.js';

/** The version, the trace, the span that publishes, and flags (W3C Trace Context, section 3.2). */
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/**
 * Lets messages that a request publishes carry its `traceparent`, and the stream that `Push-Connection` names: that one
 * does not hear of the change. The stream's owner must be the caller.
 */
@Injectable()
export class PublishingRequestInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http' || isPushRoute(context)) return next.handle();
    const request = read(context.switchToHttp().getRequest<CalledRequest>());
    return new Observable((subscriber) =>
      publishingRequest.run(request, () => next.handle().subscribe(subscriber)),
    );
  }
}

/** @throws ProblemException 400 for a `Push-Connection` that is no id. An unreadable `traceparent` is ignored, as its standard asks. */
function read({ headers, caller }: CalledRequest): PublishingRequest {
  const { traceparent } = headers;
  const connection = headers['push-connection'];
  const id = connection === undefined ? undefined : uuid.safeParse(connection);
  if (id?.success === false) {
    const message = 'must be the `connection_id` that `Connected` has named';
    throw invalid([{ path: 'Push-Connection', message }]);
  }
  return {
    ...(typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
    ...(id === undefined || caller === undefined
      ? {}
      : {
          madeBy: {
            connection: id.data,
            owner: ownerOf(caller.kind === 'user' ? caller : { tokenId: caller.tokenId }),
          },
        }),
  };
}
