import type { RequestHandler } from 'express';
import { isForClientLibraries } from '../http/client-library-routes.js';

/** Client libraries fetch their project's settings again when this grows. No project has settings yet. */
export const CONFIG_VERSION = 1;

/** Every answer to a client library, refusals too, carries the version of its settings. */
export const configVersion: RequestHandler = (request, response, next) => {
  if (isForClientLibraries(request)) response.setHeader('X-Exceptionless-ConfigVersion', CONFIG_VERSION);
  next();
};
