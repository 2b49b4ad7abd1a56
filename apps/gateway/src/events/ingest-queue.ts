import { ProblemException } from '../http/problem.js';

export interface IngestQueueLimits {
  /** Batches that are processed at once. */
  readonly atOnce: number;
  /** Of one project. Fewer than `atOnce` leave capacity for others. */
  readonly atOnceOfProject: number;
  /** Batches of a project that wait. */
  readonly waitingOfProject: number;
  readonly waiting: number;
}

/** A batch with more events is large. Large ones take seconds, and those of one project wait for each other's stacks. */
const LARGE = 1000;

/** Queues batches. Large ones have a queue of their own, so that small ones do not wait for them. */
export class IngestQueues {
  readonly #small: IngestQueue;
  readonly #large: IngestQueue;

  /** `connections`: to the database. Batches use at most half of them. Of those for small batches, a project leaves one to others. */
  constructor(connections: number) {
    const half = Math.floor(connections / 2);
    const large = Math.max(1, Math.floor(half / 4));
    const small = Math.max(1, half - large);
    const waits = { waitingOfProject: 100, waiting: 1000 };
    this.#large = new IngestQueue({ ...waits, atOnce: large, atOnceOfProject: 1 });
    this.#small = new IngestQueue({ ...waits, atOnce: small, atOnceOfProject: Math.max(1, small - 1) });
  }

  /** Queues `work`, and runs it. @throws ProblemException 429 if too many batches wait already */
  run<T>(projectId: string, events: number, work: () => Promise<T>): Promise<T> {
    return (events > LARGE ? this.#large : this.#small).run(projectId, work);
  }
}

interface Project {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Runs a few batches at once, so that the database has connections left, and fairly by project, so that a project that
 * sends very much delays only itself.
 */
export class IngestQueue {
  /** Projects with batches that run or wait. The one served longest ago is first. */
  readonly #projects = new Map<string, Project>();
  #running = 0;
  #waiting = 0;

  constructor(private readonly limits: IngestQueueLimits) {}

  /** Queues `work`, and runs it. @throws ProblemException 429 if too many batches wait already */
  async run<T>(projectId: string, work: () => Promise<T>): Promise<T> {
    await this.#wait(projectId);
    try {
      return await work();
    } finally {
      this.#done(projectId);
    }
  }

  #wait(projectId: string): Promise<void> {
    const project = this.#projects.get(projectId) ?? { running: 0, waiting: [] };
    if (project.waiting.length >= this.limits.waitingOfProject)
      throw full(`The project has ${project.waiting.length} batches waiting; send fewer at once.`);
    if (this.#waiting >= this.limits.waiting)
      throw full('Too many batches are waiting at the moment; try again.');
    this.#projects.set(projectId, project);
    return new Promise((resolve) => {
      project.waiting.push(resolve);
      this.#waiting += 1;
      this.#serve();
    });
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
      this.#running += 1;
      this.#waiting -= 1;
      project.running += 1;
      project.waiting.shift()?.();
    }
  }

  /** Of the projects with waiting batches, the one with the fewest running. */
  #next(): [string, Project] | undefined {
    let best: [string, Project] | undefined;
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
