/** What the other replicas answered. */
export interface Answers {
  readonly answers: readonly { readonly replica: string; readonly answer: unknown }[];
  /** Names of living replicas that did not answer in time. */
  readonly silent: readonly string[];
}

/** Answers a question of another replica; undefined: this one does not know the question. */
export type Answer = (question: unknown) => unknown;

/**
 * A port: asks the other replicas of the installation. Questions and answers are JSON. Its users are operators, who ask now
 * and then.
 */
export interface Replicas {
  /** The name of this one. */
  readonly name: string;
  /** Begins to answer the questions of others. Call it once. */
  start(answer: Answer, onError: (error: unknown, doing: string) => void): void;
  /** Resolves when every other living replica has answered, or that time is over. */
  ask(question: unknown, milliseconds: number): Promise<Answers>;
  close(): Promise<void>;
}
