import type { RequestHandler } from 'express';
import { isForClientLibraries } from '../http/client-library-routes.js';

/** Client libraries fetch their project's settings again when this increases. No project has settings yet. */
export const CONFIG_VERSION = 1;

/** Sends the settings' version with every response to a client library, refusals included. */
export const configVersion: RequestHandler = (request, response, next) => {
  if (isForClientLibraries(request)) response.setHeader('X-Exceptionless-ConfigVersion', CONFIG_VERSION);
  next();
};
