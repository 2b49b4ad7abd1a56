import type * as z from 'zod/mini';
import { problem } from './schemas';

/** A failed request, with the API's own sentence. `status` 0: there was no valid response. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** How long a GET waits for its response: longer than the server takes, shorter than a lost connection takes to fail. */
const RESPONSE_MS = 30_000;

/** A page of a list, and whether there is another one. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly hasNext: boolean;
}

/** The REST API with one token. `signedOut` is called when the token is no longer valid. */
export class Api {
  constructor(
    private readonly token: string | undefined,
    private readonly signedOut: () => void = () => {},
  ) {}

  async get<Schema extends z.ZodMiniType>(path: string, schema: Schema): Promise<z.infer<Schema>> {
    return schema.parse(await (await this.#call('GET', path)).json());
  }

  /** Null where the API has nothing to return (204). */
  async getIfAny<Schema extends z.ZodMiniType>(
    path: string,
    schema: Schema,
  ): Promise<z.infer<Schema> | null> {
    const response = await this.#call('GET', path);
    return response.status === 204 ? null : schema.parse(await response.json());
  }

  async list<Schema extends z.ZodMiniType>(path: string, schema: Schema): Promise<Page<z.infer<Schema>>> {
    const response = await this.#call('GET', path);
    const rows: unknown = await response.json();
    if (!Array.isArray(rows)) throw new ApiError(0, 'The server did not answer with a list.');
    return {
      items: rows.map((row) => schema.parse(row)),
      hasNext: response.headers.get('link')?.includes('rel="next"') ?? false,
    };
  }

  async post<Schema extends z.ZodMiniType>(
    path: string,
    body: unknown,
    schema: Schema,
  ): Promise<z.infer<Schema>> {
    return schema.parse(await (await this.#call('POST', path, body)).json());
  }

  /** For requests whose response has no body. */
  async send(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<void> {
    await this.#call(method, path, body);
  }

  async #call(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(`/api/v2${path}`, {
      method,
      headers: {
        Accept: 'application/json',
        ...(this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(method === 'GET' ? { signal: AbortSignal.timeout(RESPONSE_MS) } : {}),
    }).catch(() => {
      throw new ApiError(0, 'The server cannot be reached.');
    });
    if (response.ok) return response;
    if (response.status === 401 && this.token !== undefined) this.signedOut();
    const parsed = problem.safeParse(await response.json().catch(() => undefined));
    throw new ApiError(
      response.status,
      parsed.success ? parsed.data.detail : `The server answered ${response.status}.`,
    );
  }
}
