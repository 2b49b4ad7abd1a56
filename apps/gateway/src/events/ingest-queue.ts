import { AsyncLocalStorage } from 'node:async_hooks';
import { ProblemException } from '../http/problem.js';

/** Events that a client sent in one request. */
interface Batch {
  readonly projectId: string;
  readonly events: readonly object[];
}

/** What became of each batch. */
type Outcomes<T> = readonly PromiseSettledResult<T>[];

/** Processes batches of one project together. `leave`: call it once they are committed, so that the next ones may begin. */
type Process<B extends Batch, T> = (batches: readonly [B, ...B[]], leave: () => void) => Promise<Outcomes<T>>;

export interface IngestQueueLimits {
  /** How often batches are processed at once. */
  readonly atOnce: number;
  /** For one project. Fewer than `atOnce` leave capacity for others. */
  readonly atOnceOfProject: number;
  /** Batches of a project that wait. */
  readonly waitingOfProject: number;
  readonly waiting: number;
  /** Events that are processed together, if they are of several batches. */
  readonly together: number;
}

/** A batch with more events is large. Large ones take seconds, and those of one project wait for each other's stacks. */
const LARGE = 1000;
/** Batches of a project that are processed together: each transaction and its messages cost far more than one more event. */
const BATCHES_TOGETHER = 16;

/** Queues batches. Large ones have a queue of their own, so that small ones do not wait for them. */
export class IngestQueues<B extends Batch, T> {
  readonly #small: IngestQueue<B, T>;
  readonly #large: IngestQueue<B, T>;

  /** `connections`: to the database. Batches use at most half of them. Of those for small batches, a project leaves one to others. */
  constructor(connections: number, process: Process<B, T>) {
    const half = Math.floor(connections / 2);
    const large = Math.max(1, Math.floor(half / 4));
    const small = Math.max(1, half - large);
    const waits = { waitingOfProject: 100, waiting: 1000 };
    // They hold their place until their messages are published, too: there may be a hundred thousand.
    this.#large = new IngestQueue({ ...waits, atOnce: large, atOnceOfProject: 1, together: 0 }, (batches) =>
      process(batches, () => undefined),
    );
    this.#small = new IngestQueue(
      { ...waits, atOnce: small, atOnceOfProject: Math.max(1, small - 1), together: LARGE },
      process,
    );
  }

  /** Queues a batch, and processes it. @throws ProblemException 429 if too many batches wait already; what its outcome says */
  run(batch: B): Promise<T> {
    return (batch.events.length > LARGE ? this.#large : this.#small).run(batch);
  }
}

interface Waiting<B, T> {
  readonly batch: B;
  /** Runs a function in the asynchronous context of the batch's request. */
  readonly inContext: <R>(work: () => R) => R;
  readonly resolve: (outcome: T) => void;
  readonly reject: (error: unknown) => void;
}

type Together<B, T> = readonly [Waiting<B, T>, ...Waiting<B, T>[]];

interface Project<B, T> {
  running: number;
  readonly waiting: Waiting<B, T>[];
}

/**
 * Processes a few batches at once, so that the database has connections left, and fairly by project, so that a project that
 * sends very much delays only itself. Small batches of a project that wait are processed together.
 */
export class IngestQueue<B extends Batch, T> {
  /** Projects with batches that run or wait. The one served longest ago is first. */
  readonly #projects = new Map<string, Project<B, T>>();
  #running = 0;
  #waiting = 0;

  constructor(
    private readonly limits: IngestQueueLimits,
    private readonly process: Process<B, T>,
  ) {}

  /** Queues a batch, and processes it. @throws ProblemException 429 if too many batches wait already; what its outcome says */
  async run(batch: B): Promise<T> {
    const { projectId } = batch;
    const project = this.#projects.get(projectId) ?? { running: 0, waiting: [] };
    if (project.waiting.length >= this.limits.waitingOfProject)
      throw full(`The project has ${project.waiting.length} batches waiting; send fewer at once.`);
    if (this.#waiting >= this.limits.waiting)
      throw full('Too many batches are waiting at the moment; try again.');
    this.#projects.set(projectId, project);
    return new Promise((resolve, reject) => {
      project.waiting.push({ batch, inContext: AsyncLocalStorage.snapshot(), resolve, reject });
      this.#waiting += 1;
      this.#serve();
    });
  }

  async #processTogether(projectId: string, taken: Together<B, T>): Promise<void> {
    let hasLeft = false;
    const leave = (): void => {
      if (!hasLeft) this.#done(projectId);
      hasLeft = true;
    };
    const [first, ...others] = taken;
    try {
      const outcomes = await first.inContext(() =>
        this.process([first.batch, ...others.map(({ batch }) => batch)], leave),
      );
      for (const [index, { resolve, reject }] of taken.entries()) {
        const outcome = outcomes[index];
        if (outcome?.status === 'fulfilled') resolve(outcome.value);
        else reject(outcome?.reason);
      }
    } catch (error) {
      for (const { reject } of taken) reject(error);
    } finally {
      leave();
    }
  }

  #done(projectId: string): void {
    const project = this.#projects.get(projectId);
    this.#running -= 1;
    if (project !== undefined) {
      project.running -= 1;
      if (project.running === 0 && project.waiting.length === 0) this.#projects.delete(projectId);
    }
    this.#serve();
  }

  #serve(): void {
    while (this.#running < this.limits.atOnce) {
      const next = this.#next();
      if (next === undefined) return;
      const [projectId, project] = next;
      this.#projects.delete(projectId);
      this.#projects.set(projectId, project);
      const [first, ...others] = project.waiting.splice(0, this.#fitting(project.waiting));
      if (first === undefined) return;
      this.#running += 1;
      this.#waiting -= 1 + others.length;
      project.running += 1;
      void this.#processTogether(projectId, [first, ...others]);
    }
  }

  /** How many of the first are processed together: at least one. */
  #fitting(waiting: readonly Waiting<B, T>[]): number {
    let events = 0;
    const end = waiting.findIndex(({ batch }, index) => {
      events += batch.events.length;
      return index > 0 && (index === BATCHES_TOGETHER || events > this.limits.together);
    });
    return end === -1 ? waiting.length : end;
  }

  /** Of the projects with waiting batches, the one with the fewest running. */
  #next(): [string, Project<B, T>] | undefined {
    let best: [string, Project<B, T>] | undefined;
    for (const entry of this.#projects) {
      const [, { running, waiting }] = entry;
      if (waiting.length === 0 || running >= this.limits.atOnceOfProject) continue;
      if (best === undefined || running < best[1].running) best = entry;
    }
    return best;
  }
}

const RETRY_AFTER_SECONDS = 5;

const full = (detail: string) => new ProblemException(429, detail, undefined, RETRY_AFTER_SECONDS);
