import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler } from 'express';
import { apiHeaders, policyFor } from '../http/security-headers.js';

/** Swagger UI's own files, except its page, which needs inline styles and scripts. */
const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const folder = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Crossfade: REST API</title>
    <link rel="icon" href="/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <script src="/docs/swagger-ui-bundle.js" defer></script>
    <script src="/docs/start.js" defer></script>
  </head>
  <body>
    <main id="docs"></main>
  </body>
</html>
`;
const start = `SwaggerUIBundle({ url: '/docs/openapi.json', dom_id: '#docs', deepLinking: true });\n`;

/** Serves the API's description: for people at `/docs`, for programs at `/docs/openapi.json`. */
export function apiDocs(describe: () => unknown): RequestHandler {
  let described: string | undefined;
  const router = express.Router();
  router.get('/openapi.json', apiHeaders, (_request, response) => {
    response.type('json').send((described ??= JSON.stringify(describe())));
  });
  router.use(policyFor());
  router.get('/', (_request, response) => void response.type('html').send(page));
  router.get('/start.js', (_request, response) => void response.type('js').send(start));
  for (const file of FILES) {
    router.get(`/${file}`, (_request, response) => response.sendFile(file, { root: folder }));
  }
  return router;
}
