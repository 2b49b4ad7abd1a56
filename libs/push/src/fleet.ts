import * as z from 'zod/mini';
import {
  connectionFilter,
  newestFirst,
  openConnection,
  type ConnectionFilter,
  type Connections,
  type OpenConnection,
} from './connections.js';
import type { Replicas } from './replicas.js';

/** How long other replicas have to answer, milliseconds: an operator waits for a second at most. */
const ANSWER_MS = 800;
/** Streams that can be listed: each replica answers with as many at most. */
export const MOST_LISTED = 1000;

const question = z.union([
  z.object({ ask: z.literal('list'), filter: connectionFilter, most: z.number() }),
  z.object({ ask: z.literal('end'), id: z.string() }),
]);
const listAnswer = z.object({ connections: z.array(openConnection), total: z.number() });

/** The open streams of all replicas, as far as those have answered. */
export interface FleetConnections {
  /** The newest first. */
  readonly connections: readonly OpenConnection[];
  /** How many there are of those. */
  readonly total: number;
  /** Names of living replicas that did not answer in time: their streams are missing. */
  readonly silent: readonly string[];
}

/** All replicas of the installation, for operators. */
export class Fleet {
  constructor(
    private readonly connections: Connections,
    private readonly replicas: Replicas,
    private readonly onError: (error: unknown, doing: string) => void,
  ) {}

  start(): void {
    this.replicas.start((asked) => this.#answer(asked), this.onError);
  }

  /** The newest open streams, `most` of them, 1000 at most. Resolves within a second. */
  async list(filter: ConnectionFilter, most: number): Promise<FleetConnections> {
    const asked = { ask: 'list', filter, most: Math.min(most, MOST_LISTED) } as const;
    const own = this.connections.newest(filter, asked.most);
    const { answers, silent } = await this.replicas.ask(asked, ANSWER_MS);
    const read = answers.map(({ replica, answer }) => ({ replica, list: listAnswer.safeParse(answer) }));
    const lists = [own, ...read.flatMap(({ list }) => (list.success ? [list.data] : []))];
    return {
      connections: lists
        .flatMap(({ connections }) => connections)
        .sort(newestFirst)
        .slice(0, asked.most),
      total: lists.reduce((sum, { total }) => sum + total, 0),
      // A replica of another version may not know the question.
      silent: [...silent, ...read.flatMap(({ replica, list }) => (list.success ? [] : [replica]))],
    };
  }

  /** Ends a stream, wherever it is open. `ended: false`: it is on none of the replicas that have answered. */
  async end(id: string): Promise<{ readonly ended: boolean; readonly silent: readonly string[] }> {
    if (this.connections.end(id)) return { ended: true, silent: [] };
    const { answers, silent } = await this.replicas.ask({ ask: 'end', id }, ANSWER_MS);
    return { ended: answers.some(({ answer }) => answer === true), silent };
  }

  #answer(asked: unknown): unknown {
    const read = question.safeParse(asked);
    if (!read.success) return undefined;
    switch (read.data.ask) {
      case 'list':
        return this.connections.newest(read.data.filter, Math.min(read.data.most, MOST_LISTED));
      case 'end':
        return this.connections.end(read.data.id);
    }
  }
}
