import {
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import type { Observable } from 'rxjs';
import { networkOf } from '../parsing/address.js';
import { isDocument } from '../parsing/text.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { TimeSlice } from '../process/time-slice.js';
import { BODY_LIMIT, bodyLimits, TEXT_BODY, type BodyLimit } from './body-limits.js';
import { BodyMemory } from './body-memory.js';
import { readBytes, refuseByHeaders } from './body-reader.js';
import { parseJson, TooManyValues } from './json.js';
import { invalid, ProblemException } from './problem.js';
import { askForBody, bodyIsRead, hasBody } from './unread-body.js';

const MIB = 1024 * 1024;

/**
 * Reads the body of a route that takes one. It runs after the guards, so that a refused request costs no reading.
 * `unread-body.ts` handles bodies that nobody reads.
 */
@Injectable()
export class BodyInterceptor implements NestInterceptor {
  readonly #memory: BodyMemory;
  readonly #seconds: number;

  constructor(
    private readonly reflector: Reflector,
    @Inject(SETTINGS) { BODY_SECONDS, BODIES_PER_ADDRESS, BODY_MEMORY_MIB }: Settings,
  ) {
    this.#seconds = BODY_SECONDS;
    this.#memory = new BodyMemory({ bodiesPerAddress: BODIES_PER_ADDRESS, bytes: BODY_MEMORY_MIB * MIB });
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    if (!hasBody(request)) return next.handle();
    if (takesBody(context)) request.body = await this.#read(request, response, context);
    // A small body that came with the headers does no harm.
    else if (request.complete) bodyIsRead(request, response);
    return next.handle();
  }

  async #read(request: Request, response: Response, context: ExecutionContext): Promise<unknown> {
    const isText = this.#takesText(context) && isPlain(request);
    if (!isText && !request.is('json'))
      throw new ProblemException(415, 'Send JSON: Content-Type: application/json.');
    const limit = this.#limitOf(context);
    refuseByHeaders(request, limit);
    const held = this.#memory.hold(networkOf(request.ip));
    response.once('close', held.release);
    askForBody(request, response);
    const chunks = await readBytes(request, { limit, seconds: this.#seconds, held });
    if (request.complete) bodyIsRead(request, response);
    return read(chunks, isText);
  }

  #takesText(context: ExecutionContext): boolean {
    return this.reflector.get<true | undefined>(TEXT_BODY, context.getHandler()) === true;
  }

  #limitOf(context: ExecutionContext): number {
    return bodyLimits[
      this.reflector.get<BodyLimit | undefined>(BODY_LIMIT, context.getHandler()) ?? 'others'
    ];
  }
}

const known = new WeakMap<object, boolean>();

/** Whether the handler has a `@Body()` parameter. */
function takesBody(context: ExecutionContext): boolean {
  const handler = context.getHandler();
  const takes = known.get(handler) ?? hasBodyParameter(context);
  known.set(handler, takes);
  return takes;
}

function hasBodyParameter(context: ExecutionContext): boolean {
  const parameters = (Reflect.getMetadata(
    ROUTE_ARGS_METADATA,
    context.getClass(),
    context.getHandler().name,
  ) ?? {}) as object;
  return Object.keys(parameters).some((key) => key.startsWith(`${RouteParamtypes.BODY}:`));
}

/** Bytes that are decoded at once; a larger body first waits for a time slice. */
const AT_ONCE = 256 * 1024;

const isPlain = (request: Request): boolean =>
  (request.headers['content-type'] ?? '') === '' || request.is('text/plain') !== false;

/** Decodes and parses a body. An empty one is undefined, whether its length was announced or not. */
async function read(chunks: readonly Buffer[], isText: boolean): Promise<object | string | undefined> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (length === 0) return undefined;
  if (length > AT_ONCE) await new TimeSlice().next();
  const text = Buffer.concat(chunks, length)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  // Text that begins with a bracket may still be no JSON, such as a log line.
  if (isText && !/^\s*[[{]/.test(text)) return text;
  const value = await parseJson(text).catch((error: unknown) => {
    if (error instanceof TooManyValues)
      throw new ProblemException(413, `The body has ${error.message} part; send smaller parts.`);
    if (isText) return undefined;
    throw new ProblemException(400, 'The body is not valid JSON; send a JSON object or array.', [
      { path: '', message: 'is not valid JSON' },
    ]);
  });
  if (isDocument(value)) return value;
  if (isText) return text;
  throw invalid([{ path: '', message: 'must be a JSON object or array' }]);
}
