import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { PUSH_PATH, PUSH_SETTINGS_PATH, pushSettings, refusalTable } from '@crossfade/protocol';
import * as z from 'zod';
import type { Right } from '../access/caller.js';
import type { Budget } from '../access/throttle.js';
import { diskFull } from '../http/answers.js';
import { problem } from '../http/problem.js';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;
type Schema = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

const who: Record<Right, string> = {
  anyone: 'Needs no token.',
  user: "Needs a user's login token.",
  client: "Needs a project token with the scope `client`, or a user's login token.",
  administrator: "Needs an administrator's login token.",
  publisher: 'Needs a service token with the scope `push:publish`.',
};

/** Describes the API, from its routes and the schemas of their requests and responses. */
export function describeApi(app: INestApplication): OpenAPIObject {
  const info = new DocumentBuilder()
    .setTitle('Crossfade')
    .setDescription(
      'Collects errors, groups them into stacks, and pushes every change. Refusals are `application/problem+json` (RFC 9457).',
    )
    .setVersion('2')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A login, project or service token.' })
    .build();
  const document = SwaggerModule.createDocument(app, info, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: toOpenApi(problem) },
  };
  describePush(document.paths);
  for (const item of Object.values(document.paths)) {
    for (const method of METHODS) if (item[method] !== undefined) complete(item[method], method);
  }
  return document;
}

/** Adds what follows from the shape of a route. */
function complete(operation: Operation & { 'x-right'?: Right; 'x-throttle'?: Budget }, method: string): void {
  const { 'x-right': right, 'x-throttle': budget = 'api', responses } = operation;
  if (method !== 'get' && right !== undefined && right !== 'anyone')
    operation.parameters = [...(operation.parameters ?? []), ownStream];
  const takesInput = operation.requestBody !== undefined || (operation.parameters ?? []).length > 0;
  // Whether the route queries the database: all do, if only to authenticate, but for probes and the push library's.
  const asks = right !== undefined && !(right === 'anyone' && budget === 'none');
  const refusals: Record<number, string | false> = {
    400: takesInput && 'The input is not valid; `errors` says what is wrong.',
    401: right !== undefined && right !== 'anyone' && 'The token is missing, unknown, expired or revoked.',
    403: right !== undefined && right !== 'anyone' && 'The token does not allow this.',
    408: operation.requestBody !== undefined && 'The body did not arrive in time.',
    413: operation.requestBody !== undefined && 'The body is too large.',
    415: operation.requestBody !== undefined && 'The body is not JSON.',
    503:
      (asks || operation.requestBody !== undefined) &&
      'The database is not available, or too many large requests are being read; `Retry-After` says when to try again.',
    507: asks && method !== 'get' && diskFull[507],
    429:
      budget !== 'none' && right !== undefined && 'Too many requests; `Retry-After` says how long to wait.',
  };
  for (const [status, description] of Object.entries(refusals)) {
    if (description !== false) responses[status] ??= { description };
  }
  for (const [status, response] of Object.entries(responses)) {
    if (
      Number(status) < 400 ||
      response === undefined ||
      '$ref' in response ||
      response.content !== undefined
    )
      continue;
    response.content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  }
  if (right === undefined) return;
  operation.description = who[right];
  if (right !== 'anyone') operation.security = [{ bearer: [] }];
}

/** Describes the push library's routes. Their contract is PROTOCOL.md, and the library knows nothing of OpenAPI. */
function describePush(paths: OpenAPIObject['paths']): void {
  const refusals = Object.fromEntries(
    Object.values(refusalTable).map(({ http }) => [http, { description: 'Refused; see PROTOCOL.md.' }]),
  );
  const stream = paths[PUSH_PATH]?.get;
  if (stream !== undefined) {
    stream.summary = 'Opens a stream of messages; with `Upgrade: websocket`, over WebSocket';
    stream.description =
      'Needs a login token, or a project token with the scope `push:subscribe`. See PROTOCOL.md.';
    stream.security = [{ bearer: [] }];
    stream.parameters = [
      parameter('query', 'access_token', 'The token, where a client cannot set headers.'),
      parameter('header', 'Last-Event-ID', 'The cursor to resume from.'),
      parameter('query', 'last_event_id', 'The same, where a client cannot set headers.'),
      parameter('query', 'lastEventId', 'The same, as some libraries spell it.'),
      parameter('query', 'client', 'The app and its build: NAME/VERSION.'),
      parameter('query', 'types', 'Only these message types, separated by commas.'),
      parameter('query', 'replaces', 'The `connection_id` of the stream that this one replaces.'),
    ];
    stream.responses = {
      200: {
        description: 'The stream.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      ...refusals,
    };
  }
  const settings = paths[PUSH_SETTINGS_PATH]?.get;
  if (settings !== undefined) {
    settings.summary = 'What an app needs to know before it connects';
    settings.description = who.anyone;
    settings.responses = {
      200: { description: 'Done.', content: { 'application/json': { schema: toOpenApi(pushSettings) } } },
    };
  }
}

const parameter = (where: 'query' | 'header', name: string, description: string) => ({
  name,
  in: where,
  description,
  required: false,
  schema: { type: 'string' as const },
});

/** Of every route that changes something. */
const ownStream = parameter(
  'header',
  'Push-Connection',
  "The `connection_id` of the caller's own stream, which then gets no invalidation of this change. See PROTOCOL.md.",
);

const toOpenApi = (schema: z.core.$ZodType): Schema =>
  z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'output' }) as Schema;
