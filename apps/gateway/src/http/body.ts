import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { ProblemException } from './problem.js';

const EVENTS = /^\/api\/v2\/(events|projects\/[^/]+\/events)\/?$/;
const PUBLISHED = /^\/api\/v2\/push\/messages\/?$/;
const events = express.json({ limit: '5mb' });
const published = express.json({ limit: '2mb' });
const others = express.json({ limit: '256kb' });

/** Reads JSON bodies, with a limit that depends on the route. Whatever claims to be something else is a 415. */
export const readBody: RequestHandler = (request: Request, response: Response, next: NextFunction) => {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody && !request.is('json')) {
    return next(new ProblemException(415, 'Send JSON: Content-Type: application/json.'));
  }
  const { path } = request;
  const read = EVENTS.test(path) ? events : PUBLISHED.test(path) ? published : others;
  return read(request, response, next);
};
