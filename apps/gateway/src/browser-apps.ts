import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler } from 'express';
import { compress } from './http/compression.js';
import { isRoute } from './http/paths.js';
import { pageHeaders } from './http/security-headers.js';

/** The built browser apps, beside this one. */
const modern = fileURLToPath(new URL('../../web/build', import.meta.url));
const legacy = fileURLToPath(new URL('../../legacy/dist', import.meta.url));

const YEAR_SECONDS = 31_536_000;

/**
 * Serves the legacy app at `/` and the modern one at `/next/`, where every page is its index. Files with a hash in
 * their name never change; pages are revalidated each time.
 */
export function browserApps(): RequestHandler {
  const router = express.Router();
  router.use(compress);
  router.use('/next', inItsCase, ...headersOf(modern), files(modern), page(modern));
  router.use('/', ...headersOf(legacy), files(legacy));
  return (request, response, next) => (isRoute(request.path) ? next() : router(request, response, next));
}

/** Folders of apps that are not built, for a warning at startup. */
export function missingBrowserApps(): string[] {
  return [modern, legacy].filter((folder) => !existsSync(indexOf(folder)));
}

const indexOf = (folder: string): string => join(folder, 'index.html');

function headersOf(folder: string): RequestHandler[] {
  return existsSync(indexOf(folder)) ? [pageHeaders(folder)] : [];
}

/** The app knows only this spelling of its path, and would reload forever at any other. */
const inItsCase: RequestHandler = ({ baseUrl, url }, response, next) => {
  if (baseUrl === '/next') next();
  else response.redirect(308, `/next${url}`);
};

function files(folder: string): RequestHandler {
  return express.static(folder, {
    setHeaders(response, path) {
      const immutable = /[\\/](immutable|assets)[\\/]/.test(path);
      response.setHeader(
        'Cache-Control',
        immutable ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
      );
    },
  });
}

function page(folder: string): RequestHandler {
  return (request, response, next) => {
    // A missing file is a 404, not a page. The app's own paths have no extension.
    if (!/^(?:GET|HEAD)$/.test(request.method) || /\.\w+$/.test(request.path)) return next();
    response.setHeader('Cache-Control', 'no-cache');
    response.sendFile('index.html', { root: folder }, (error) => {
      if (error !== undefined && !response.headersSent) next();
    });
  };
}
