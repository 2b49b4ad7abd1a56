import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { ApiClient } from '@crossfade/test-hosts';

/** The part of an OpenAPI document that the tests read. */
interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}
interface OperationObject {
  readonly 'x-right'?: string;
  readonly 'x-throttle'?: string;
  readonly 'x-any-origin'?: boolean;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** The id under which ajv finds the document's schemas. */
const DOCUMENT = 'openapi';

/** A request as a test writes it down. */
export interface Asked {
  readonly as?: ApiClient | undefined;
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string | Readonly<Record<string, string>>;
  /** A string is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Writes the route's path in another way, with its parameters as `{name}`. */
  readonly spell?: (template: string) => string;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** A request as it is sent to a path. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** One operation of the API. Every response to a call must match its description. */
export class Operation {
  /** The statuses that were seen so far. */
  readonly seen = new Set<number>();
  readonly name: string;
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(
    private readonly url: string,
    readonly method: string,
    readonly template: string,
    readonly description: OperationObject,
    private readonly ajv: Ajv,
  ) {
    this.name = `${method.toUpperCase()} ${template}`;
  }

  get right(): string | undefined {
    return this.description['x-right'];
  }

  get isThrottled(): boolean {
    return this.description['x-throttle'] !== 'none';
  }

  get statuses(): number[] {
    return Object.keys(this.description.responses).map(Number);
  }

  parameters(where: 'path' | 'query' | 'header'): string[] {
    return (this.description.parameters ?? []).filter((one) => one.in === where).map(({ name }) => name);
  }

  get bodySchema(): Schema | undefined {
    return this.description.requestBody?.content['application/json']?.schema;
  }

  /** The request of a call. */
  requestOf({ as, path = {}, query = '', body, headers = {}, spell }: Asked): Sent {
    const filled = (spell?.(this.template) ?? this.template).replace(
      /\{(\w+)\}/g,
      (_all, name: string) => path[name] ?? '',
    );
    const search = typeof query === 'string' ? query : String(new URLSearchParams(query));
    return {
      method: this.method.toUpperCase(),
      path: `${filled}${search === '' ? '' : `?${search}`}`,
      headers: {
        ...(as?.token === undefined ? {} : { Authorization: `Bearer ${as.token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    };
  }

  /** Calls it, with fetch or another client. @throws if the response does not match the description. */
  async call(
    asked: Asked,
    send: (sent: Sent) => Promise<Answered> = (sent) => byFetch(this.url, sent),
  ): Promise<Answered> {
    const answered = await send(this.requestOf(asked));
    this.#hold(answered);
    return answered;
  }

  #hold({ status, headers, text }: Answered): void {
    this.seen.add(status);
    // The door refuses an invalid path before there is a route that has settings.
    const isOfRoute = !/"detail":"The (path|target) /.test(text);
    if (this.right === 'client' && isOfRoute && !headers.has('x-exceptionless-configversion'))
      throw new Error(`${this.name}: ${status} has no version of the settings`);
    const described = this.description.responses[String(status)];
    if (described === undefined) throw new Error(`${this.name}: ${status} is not described: ${text}`);
    const type = headers.get('content-type')?.split(';', 1)[0];
    if (described.content === undefined) {
      if (text !== '') throw new Error(`${this.name}: ${status} has a body that is not described: ${text}`);
      return;
    }
    const schema = type === undefined ? undefined : described.content[type]?.schema;
    if (type === undefined || schema === undefined)
      throw new Error(`${this.name}: ${status} came as ${type}, which is not described`);
    const validate = this.#validator(`${status} ${type}`, schema);
    if (!validate(JSON.parse(text)))
      throw new Error(`${this.name}: ${status} ${this.ajv.errorsText(validate.errors)}: ${text}`);
  }

  #validator(key: string, schema: Schema): ValidateFunction {
    const known = this.#validators.get(key);
    if (known !== undefined) return known;
    const text = JSON.stringify(schema).replaceAll('"#/components', `"${DOCUMENT}#/components`);
    const made = this.ajv.compile(JSON.parse(text) as object);
    this.#validators.set(key, made);
    return made;
  }
}

export async function byFetch(url: string, { path, ...sent }: Sent): Promise<Answered> {
  const response = await fetch(url + path, sent);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Reads the gateway's own description. */
export async function operationsOf(url: string): Promise<{ document: OpenApi; operations: Operation[] }> {
  const document = (await (await fetch(`${url}/docs/openapi.json`)).json()) as OpenApi;
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ components: document.components }, DOCUMENT);
  const operations = Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(
      ([method, described]) => new Operation(url, method, template, described, ajv),
    ),
  );
  return { document, operations };
}
