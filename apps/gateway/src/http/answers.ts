import {
  applyDecorators,
  Header,
  HttpCode,
  SerializeOptions,
  StandardSchemaSerializerInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import { PageInterceptor } from './page.js';

interface Answer {
  /** Of the success; 200 by default. */
  readonly status?: 200 | 201 | 202 | 204;
  /** Reads what the handler returns, so that nothing leaves which is not documented. Without it there is no body. */
  readonly body?: z.ZodType;
  /** Headers of the success that are particular to this route: what they say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body is a list of these, one page of it. */
  readonly list?: true;
  /** Other answers that are particular to this route: why, and what they hold where that is not a problem. */
  readonly also?: Readonly<Record<number, string | { readonly why: string; readonly body: z.ZodType }>>;
}

/**
 * What a route does and answers: for the framework, which reads every body with the schema, and for OpenAPI alike.
 * Answers that follow from a route's shape (its right, parameters, body, throttle) are documented in `openapi.ts`.
 */
export function Answers(summary: string, { status = 200, body, headers, list, also = {} }: Answer = {}) {
  return applyDecorators(
    HttpCode(status),
    ApiOperation({ summary }),
    ApiResponse({
      status,
      description: body === undefined ? 'Done; there is no body.' : 'Done.',
      ...(body === undefined ? {} : { standardSchema: body, isArray: list === true }),
      headers: { ...(list === true ? ofPage : {}), ...described(headers ?? {}) },
    }),
    ...Object.entries(also).map(([code, answer]) =>
      ApiResponse({
        status: Number(code),
        ...(typeof answer === 'string'
          ? { description: answer }
          : { description: answer.why, standardSchema: answer.body }),
      }),
    ),
    ...writtenAs(status, body, list),
  );
}

function writtenAs(status: Answer['status'], body: Answer['body'], list: Answer['list']) {
  if (body !== undefined)
    return [
      SerializeOptions({ schema: body }),
      // The last one is the first to see what the handler returns.
      UseInterceptors(StandardSchemaSerializerInterceptor, ...(list === true ? [PageInterceptor] : [])),
    ];
  // Without a type, Firefox's XMLHttpRequest parses an empty body as XML and logs an error.
  return status === 204 ? [] : [Header('Content-Type', 'text/plain; charset=utf-8')];
}

/** Of a route that is read by its method and writes all the same; the others' follows from their shape. */
export const diskFull = { 507: 'The disk of an embedded database is nearly full; nothing was stored.' };

const described = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' as const } },
    ]),
  );

const ofPage = described({
  Link: '`<…>; rel="next"` while there is another page.',
  'X-Result-Count': 'How many there are on all pages; a longer list says 10000.',
});
