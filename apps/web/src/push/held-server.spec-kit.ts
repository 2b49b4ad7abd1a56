import type { Query, QueryClient } from '@tanstack/svelte-query';
import { QueryObserver } from '@tanstack/svelte-query';

/** A request whose response is held back. */
interface Pending {
  readonly key: string;
  readonly resolve: (version: number) => void;
  readonly reject: (error: Error) => void;
  /** What the server read for it. Later changes are not in it. */
  computed?: number;
}

/** A server whose values are version numbers and which answers when told to, and the pages that show them. */
export class HeldServer {
  readonly versions = new Map<string, number>();
  readonly pending: Pending[] = [];
  requests = 0;
  readonly #pages = new Map<string, { close: () => void; read: () => number | undefined }>();

  constructor(private readonly client: QueryClient) {}

  version(key: string): number {
    return this.versions.get(key) ?? 0;
  }

  change(key: string): void {
    this.versions.set(key, this.version(key) + 1);
  }

  open(key: string): void {
    if (this.#pages.has(key)) return;
    const observer = new QueryObserver<number>(this.client, {
      queryKey: [key],
      queryFn: () => this.#ask(key),
    });
    const close = observer.subscribe(() => undefined);
    this.#pages.set(key, { close, read: () => observer.getCurrentResult().data });
  }

  close(key: string): void {
    this.#pages.get(key)?.close();
    this.#pages.delete(key);
  }

  shows(key: string): number | undefined {
    return this.#pages.get(key)?.read();
  }

  query(key: string): Query | undefined {
    return this.client.getQueryCache().find({ queryKey: [key] });
  }

  /** The server reads the value for the requests of a key that wait. */
  compute(key: string): void {
    for (const request of this.pending.filter((one) => one.key === key))
      request.computed ??= this.version(key);
  }

  /** Answers the oldest request of the key. */
  answer(key: string): void {
    const request = this.#take(key);
    request?.resolve(request.computed ?? this.version(key));
  }

  fail(key: string): void {
    this.#take(key)?.reject(new Error('The server answered 500.'));
  }

  #take(key: string): Pending | undefined {
    const index = this.pending.findIndex((one) => one.key === key);
    return index < 0 ? undefined : this.pending.splice(index, 1)[0];
  }

  #ask(key: string): Promise<number> {
    this.requests += 1;
    return new Promise((resolve, reject) => this.pending.push({ key, resolve, reject }));
  }
}
