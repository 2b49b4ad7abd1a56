interface Read {
  readonly about: string;
  /** Whether it became stale while it was under way. */
  isStale: boolean;
}

/**
 * Reads one thing from the server whenever it becomes stale, one read at a time. If it becomes stale during a read, another
 * read follows, since the response may have been made before the change. So every response is shown, however often the
 * thing changes, and the last one is requested after the last change.
 */
export class Reader<Data> {
  #read: Read | undefined;

  constructor(
    private readonly loaded: (data: Data) => void,
    private readonly failed: (sentence: string) => void = () => undefined,
  ) {}

  /**
   * `about` names what is read: a page of a list, an organization, a session. If it differs from the read under way, the
   * response to that one is dropped.
   */
  read(about: string, fetch: () => PromiseLike<Data>): void {
    if (this.#read?.about === about) this.#read.isStale = true;
    else this.#begin(about, fetch);
  }

  /** Drops the response to the read under way. */
  drop(): void {
    this.#read = undefined;
  }

  #begin(about: string, fetch: () => PromiseLike<Data>): void {
    const read: Read = { about, isStale: false };
    this.#read = read;
    const end = (show: () => void): void => {
      if (this.#read !== read) return;
      this.#read = undefined;
      if (read.isStale) this.#begin(about, fetch);
      show();
    };
    fetch().then(
      (data) => end(() => this.loaded(data)),
      (sentence: string) => end(() => this.failed(sentence)),
    );
  }
}
