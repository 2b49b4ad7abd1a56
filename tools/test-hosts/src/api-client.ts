/** A caller of the API, as any client would be. */
export class ApiClient {
  constructor(
    private readonly url: string,
    readonly token: string | undefined,
  ) {}

  static async login(url: string, email: string, password = 'tester'): Promise<ApiClient> {
    const response = await new ApiClient(url, undefined).call('POST', '/auth/login', { email, password });
    const { token } = (await response.json()) as { token: string };
    return new ApiClient(url, token);
  }

  call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return fetch(`${this.url}/api/v2${path}`, {
      method,
      headers: {
        ...(this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  /** Returns the body of a success. @throws with the status and body of a failure. */
  async json<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await this.call(method, path, body, headers);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
