import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Open sockets of a process, as Linux counts them. Files do not count: the embedded database opens some now and then. */
export function descriptorsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** Memory of a process in megabytes, as Linux counts it. */
export function megabytesOf(pid: number): number {
  const [, resident] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
  return (Number(resident) * 4096) / 1024 / 1024;
}

const TICKS_A_SECOND = 100;

/** Processor time of a process in milliseconds. */
export function processorMs(pid: number): number {
  const [, after = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = after.split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
}

/** How long the main thread of a process has waited for a processor that other threads had, in milliseconds. */
function crowdedMs(pid: number): number {
  const [, nanoseconds] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return Number(nanoseconds) / 1e6;
}

/**
 * How long something took, in milliseconds, without the time in which that process, or this one, waited for a processor: of
 * both, the longer time, since they may have waited at once.
 */
export async function uncrowdedMs(pid: number, work: () => Promise<unknown>): Promise<number> {
  const both = [pid, process.pid];
  const before = both.map(crowdedMs);
  const begun = performance.now();
  await work();
  const waited = both.map((one, index) => crowdedMs(one) - (before[index] ?? 0));
  return performance.now() - begun - Math.max(...waited);
}

/** Watches how long a process waits for a processor, to know what was not its own doing. */
export class Crowding {
  readonly #samples: { readonly at: number; readonly waited: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#timer = setInterval(() => {
      try {
        this.#samples.push({ at: performance.now(), waited: crowdedMs(pid) });
      } catch {
        // It has exited.
        clearInterval(this.#timer);
      }
    }, 10);
  }

  /** Ends, and returns the most that it waited within a time of this length, in milliseconds. */
  most(milliseconds: number): number {
    clearInterval(this.#timer);
    const samples = this.#samples;
    const waits = samples.map(({ at, waited }, index) => {
      const end = samples.find((one, later) => later > index && one.at >= at + milliseconds);
      return end === undefined ? 0 : end.waited - waited;
    });
    // Linux counts a wait when it is over, so it may have begun before.
    return Math.min(milliseconds, Math.max(0, ...waits));
  }
}
