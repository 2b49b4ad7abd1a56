import type { Answers, Replicas } from '../replicas.js';

/** There is this replica only. */
export class LoneReplica implements Replicas {
  constructor(readonly name: string) {}

  start(): void {
    // Nobody asks.
  }

  async ask(): Promise<Answers> {
    return { answers: [], silent: [] };
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}
