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
  /** The status of success; 200 by default. */
  readonly status?: 200 | 201 | 202 | 204;
  /** The schema of the body. It filters what the handler returns, so that nothing undocumented leaves. Without it there is no body. */
  readonly body?: z.ZodType;
  /** Descriptions of the headers that only this route sends with success. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The handler returns a `Page`, and the body is its list of rows. */
  readonly list?: true;
  /** Other responses that only this route has: why, and their body where it is not a problem document. */
  readonly also?: Readonly<Record<number, string | { readonly why: string; readonly body: z.ZodType }>>;
}

/**
 * Says what a route does and how it responds: for the framework, which filters every body by its schema, and for OpenAPI.
 * Responses that follow from a route's shape (its right, parameters, body, throttle) are documented in `openapi.ts`.
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

/** The response of a route that writes although its method is GET. For other routes it follows from their shape. */
export const diskFull = { 507: 'The disk of an embedded database is nearly full; nothing was stored.' };

const described = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' as const } },
    ]),
  );

const ofPage = described({
  Link: '`<…>; rel="next"`, if there is a next page.',
  'X-Result-Count': 'The number of rows on all pages, 10000 at most.',
});
