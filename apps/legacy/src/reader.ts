interface Read {
  readonly about: string;
  /** Whether it became stale while it was under way. */
  isStale: boolean;
}

/**
 * Reads one thing from the server, as often as it becomes stale. At most one read of it is under way. What becomes stale
 * meanwhile is read once more after it, since the server may have made the answer before. So every answer is shown,
 * however often the thing changes, and the last one is always asked for after the last change.
 */
export class Reader<Answer> {
  #read: Read | undefined;

  constructor(
    private readonly answered: (answer: Answer) => void,
    private readonly failed: (sentence: string) => void = () => undefined,
  ) {}

  /**
   * `about` names what is asked for: a page of a list, an organization, a session. When it is another than before, the
   * answer to the one before is dropped.
   */
  read(about: string, ask: () => PromiseLike<Answer>): void {
    if (this.#read?.about === about) this.#read.isStale = true;
    else this.#begin(about, ask);
  }

  /** Drops the answer that is waited for. */
  drop(): void {
    this.#read = undefined;
  }

  #begin(about: string, ask: () => PromiseLike<Answer>): void {
    const read: Read = { about, isStale: false };
    this.#read = read;
    const end = (show: () => void): void => {
      if (this.#read !== read) return;
      this.#read = undefined;
      if (read.isStale) this.#begin(about, ask);
      show();
    };
    ask().then(
      (answer) => end(() => this.answered(answer)),
      (sentence: string) => end(() => this.failed(sentence)),
    );
  }
}
