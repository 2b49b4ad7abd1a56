import { statfsSync } from 'node:fs';

const MIB = 1024 * 1024;
/** Room counts as there again when a sixteenth more than the reserve is free, so that the limit is not crossed with every write. */
const AGAIN = 17 / 16;

/** Nothing more may be stored: the disk is nearly full. Reading goes on. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';

  constructor() {
    super('the disk of the data folder is nearly full');
  }
}

/**
 * The room on the embedded database's disk. PostgreSQL inside WebAssembly does not survive a full disk: it spins, and the
 * process with it. So writes are refused while there is still room for what is on its way: the log of the database,
 * its temporary files, the largest batch.
 */
export class DiskSpace {
  #isShort = false;

  /** `onChange` hears when room becomes short, and when there is enough again. */
  constructor(
    private readonly folder: string,
    private readonly reserveBytes: number,
    private readonly onChange: (isShort: boolean, freeMib: number) => void,
  ) {}

  /** Bytes that this process may still write there. */
  get free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  get freeMib(): number {
    return Math.floor(this.free / MIB);
  }

  /** Looks; costs some microseconds. @throws DiskFull */
  require(): void {
    const { free } = this;
    const isShort = free < this.reserveBytes * (this.#isShort ? AGAIN : 1);
    if (isShort !== this.#isShort) {
      this.#isShort = isShort;
      this.onChange(isShort, Math.floor(free / MIB));
    }
    if (isShort) throw new DiskFull();
  }
}
