import { PUSH_PATH } from '@crossfade/protocol';
import compression from 'compression';
import type { RequestHandler } from 'express';

const compress = compression();

/** Compresses answers, and stays away from the stream: there it would hold messages back. */
export const compressAnswers: RequestHandler = (request, response, next) =>
  request.path.replace(/\/$/, '') === PUSH_PATH ? next() : compress(request, response, next);
