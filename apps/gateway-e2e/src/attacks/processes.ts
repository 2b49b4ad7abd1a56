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
