import { applyDecorators, SetMetadata, type INestApplication, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/internal';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';
import express, { type Request, type RequestHandler } from 'express';

const FOR_CLIENT_LIBRARIES = 'crossfade:for-client-libraries';

/**
 * Marks a route that client libraries call from pages of any origin. They send no cookies, so an open response gives
 * nothing away.
 */
export const ForClientLibraries = () =>
  applyDecorators(SetMetadata(FOR_CLIENT_LIBRARIES, true), ApiExtension('x-any-origin', true));

const marked = new WeakSet<Request>();

export const isForClientLibraries = (request: Request): boolean => marked.has(request);

/**
 * Marks requests for those routes before a handler is known: a preflight never has one, and the page also reads a guard's
 * refusal. The handlers' metadata names the routes; the router decides whether a path matches one.
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

/** Both may have one path or several. */
function pathsOfHandler(controller: Type, handler: object): string[] {
  const [prefixes, paths] = [controller, handler].map((one) =>
    [Reflect.getMetadata(PATH_METADATA, one) as string | string[]].flat(),
  );
  return (prefixes ?? []).flatMap((prefix) => (paths ?? []).map((path) => `/${prefix}/${path}`));
}
