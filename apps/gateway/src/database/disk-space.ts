import { statfsSync } from 'node:fs';

const MIB = 1024 * 1024;
/** After a shortage, a sixteenth more than the reserve must be free, so that the limit is not crossed with every write. */
const RECOVERED = 17 / 16;

/** The disk is nearly full, so writes are refused. Reads go on. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';

  constructor() {
    super('the disk of the data folder is nearly full');
  }
}

/**
 * Free space on the embedded database's disk. PostgreSQL inside WebAssembly does not survive a full disk: it spins, and
 * the process with it. So writes are refused while there is still space for the work under way: the database's log, its
 * temporary files, the largest batch.
 */
export class DiskSpace {
  #isShort = false;

  /** Calls `onChange` when space becomes short, and when there is enough again. */
  constructor(
    private readonly folder: string,
    private readonly reserveBytes: number,
    private readonly onChange: (isShort: boolean, freeMib: number) => void,
  ) {}

  /** Bytes that this process may still write. */
  get free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  get freeMib(): number {
    return Math.floor(this.free / MIB);
  }

  /** Checks the free space, which takes some microseconds. @throws DiskFull */
  require(): void {
    const { free } = this;
    const isShort = free < this.reserveBytes * (this.#isShort ? RECOVERED : 1);
    if (isShort !== this.#isShort) {
      this.#isShort = isShort;
      this.onChange(isShort, Math.floor(free / MIB));
    }
    if (isShort) throw new DiskFull();
  }
}
