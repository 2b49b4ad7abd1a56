import { applyDecorators, SetMetadata, type INestApplication, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/internal';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';
import express, { type Request, type RequestHandler } from 'express';

const FOR_CLIENT_LIBRARIES = 'crossfade:for-client-libraries';

/**
 * A route that client libraries call from pages of any origin, by any path and method that names it. Without credentials, so
 * an open answer gives nothing away.
 */
export const ForClientLibraries = () =>
  applyDecorators(SetMetadata(FOR_CLIENT_LIBRARIES, true), ApiExtension('x-any-origin', true));

const marked = new WeakSet<Request>();

export const isForClientLibraries = (request: Request): boolean => marked.has(request);

/**
 * Marks requests for those routes, before there is a handler to be asked: a preflight never has one, and a guard's refusal is
 * read by the page, too. Which they are is the handlers' word, whether a path names one is the router's.
 */
export function markClientLibraryRoutes(app: INestApplication): RequestHandler {
  const router = express.Router();
  router.all(pathsOf(app), (request, _response, next) => {
    marked.add(request);
    next();
  });
  return router;
}

function pathsOf(app: INestApplication): string[] {
  const scanner = new MetadataScanner();
  return [...app.get(ModulesContainer).values()].flatMap(({ controllers }) =>
    [...controllers.values()].flatMap(({ metatype }) => {
      const controller = metatype as Type;
      const handlers = controller.prototype as Record<string, object>;
      return scanner
        .getAllMethodNames(handlers)
        .map((name) => handlers[name] ?? {})
        .filter((handler) => Reflect.getMetadata(FOR_CLIENT_LIBRARIES, handler) === true)
        .flatMap((handler) => pathsOfHandler(controller, handler));
    }),
  );
}

/** Each may be one path or a list of them. */
function pathsOfHandler(controller: Type, handler: object): string[] {
  const [prefixes, paths] = [controller, handler].map((one) =>
    [Reflect.getMetadata(PATH_METADATA, one) as string | string[]].flat(),
  );
  return (prefixes ?? []).flatMap((prefix) => (paths ?? []).map((path) => `/${prefix}/${path}`));
}
