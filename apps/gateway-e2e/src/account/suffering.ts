import { setTimeout as wait } from 'node:timers/promises';
import { FAULTS, type Fault, type Scene } from './faults.ts';

/** How long it is quiet between two faults. */
const QUIET_MS = 1500;

/** A fault that has happened, and when. */
interface Suffered {
  readonly fault: Fault;
  readonly second: number;
}

/**
 * Lets every fault happen once, and then again until the time is over, in an order that the seed decides: long ones beside
 * the others. @returns which, in order
 */
export async function suffer(scene: Scene, seconds: number): Promise<readonly Suffered[]> {
  const begun = Date.now();
  const until = begun + seconds * 1000;
  const suffered: Suffered[] = [];
  const runAll = async (faults: readonly Fault[]): Promise<void> => {
    const order = [...faults];
    const endsInTime = ({ lastsMs = 0 }: Fault): boolean => Date.now() + lastsMs < until;
    for (let index = 0; index < order.length || order.every(endsInTime); index += 1) {
      const at = index % order.length;
      if (at === 0) shuffle(order, scene);
      const fault = order[at];
      if (fault === undefined) return;
      suffered.push({ fault, second: Math.round((Date.now() - begun) / 1000) });
      await fault.happen(scene);
      await wait(QUIET_MS);
    }
  };
  await Promise.all([
    runAll(FAULTS.filter(({ lastsMs }) => lastsMs !== undefined)),
    runAll(FAULTS.filter(({ lastsMs }) => lastsMs === undefined)),
  ]);
  return suffered;
}

function shuffle(faults: Fault[], { choices }: Scene): void {
  for (let index = faults.length - 1; index > 0; index -= 1) {
    const other = choices.below(index + 1);
    const [one, two] = [faults[index], faults[other]];
    if (one !== undefined && two !== undefined) [faults[index], faults[other]] = [two, one];
  }
}
