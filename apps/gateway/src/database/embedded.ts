import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { PGlite, types, type QueryOptions } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { Logger } from '@nestjs/common';
import { drizzle } from 'drizzle-orm/pglite';
import { parseExactly } from '../parsing/exact-number.js';
import { StartupError } from '../process/startup-error.js';
import { holdDataFolder, tighten } from './data-folder.js';
import { DiskSpace } from './disk-space.js';
import { applyMigrations } from './migrations.js';
import { onlyReads, plainErrors, type Database, type Transaction } from './queries.js';
import { queryError } from './query-error.js';

type Client = Pick<PGlite, 'query'>;

/** The embedded PGlite database, in a folder of its own. */
export class EmbeddedDatabase {
  private constructor(
    private readonly client: PGlite,
    readonly space: DiskSpace,
    private readonly unlock: () => void,
  ) {}

  /** @throws StartupError */
  static async open(folder: string, reserveMib: number): Promise<EmbeddedDatabase> {
    const unlock = holdDataFolder(folder);
    try {
      const space = new DiskSpace(folder, reserveMib * 1024 * 1024, warnOfSpace(folder));
      requireSpace(space, folder, reserveMib);
      const own = join(folder, 'postgres');
      const tightened = tighten(own);
      if (tightened > 0) {
        const what = tightened === 1 ? 'one file' : `${tightened} files`;
        new Logger('Database').log(`Removed the access of other accounts to ${what} in ${own}.`);
      }
      const client = await openClient(own, folder, space);
      // PGlite's template files come with permissions for everybody.
      tighten(own);
      return new EmbeddedDatabase(client, space, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  get database(): Database {
    return Object.assign(this.#builder(this.client), {
      transaction: <T>(work: (transaction: Transaction) => Promise<T>) => this.#transaction(work),
    });
  }

  /**
   * Does what PostgreSQL's background processes do elsewhere. The checkpoint comes first, on a full disk too, because it
   * frees the space of the log. Then it vacuums table by table: all at once would block every query meanwhile.
   */
  async upkeep(): Promise<void> {
    await this.client.exec('CHECKPOINT').catch((error: unknown) => {
      throw queryError('CHECKPOINT', error);
    });
    this.space.require();
    const { rows } = await this.client.query<{ name: string }>(
      `SELECT format('%I', relname) AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    for (const { name } of rows) {
      await this.client.exec(`VACUUM ANALYZE ${name}`).catch((error: unknown) => {
        throw queryError(`VACUUM ANALYZE ${name}`, error);
      });
      await turn();
    }
  }

  async close(): Promise<void> {
    await this.client.close();
    this.unlock();
  }

  async #transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    this.space.require();
    let first: { readonly error: unknown } | undefined;
    try {
      return await this.client.transaction(async (client) => {
        try {
          return await work(this.#builder(client));
        } catch (error) {
          first = { error };
          throw error;
        }
      });
    } catch (error) {
      // The rollback may fail too; the first error is the cause.
      throw first === undefined ? queryError('COMMIT', error) : first.error;
    }
  }

  #builder(client: Client) {
    const query = async (statement: string, values?: unknown[], options?: QueryOptions) => {
      if (!onlyReads(statement)) this.space.require();
      const result = await client.query(statement, values, options);
      // The query ran in this thread and waited for no I/O. Without this, the event loop would not turn until a whole
      // transaction is done: no request would be answered, and the watchdog would take it for a spin.
      await turn();
      return result;
    };
    // drizzle uses nothing else of the client.
    return plainErrors(drizzle({ client: { query } as unknown as PGlite }));
  }
}

async function openClient(own: string, folder: string, space: DiskSpace): Promise<PGlite> {
  try {
    const client = await PGlite.create(own, {
      extensions: { pg_trgm },
      parsers: { [types.JSONB]: parseExactly },
    });
    await client.transaction((transaction) =>
      applyMigrations((statement, values) => transaction.query(statement, values)),
    );
    await client.exec('ANALYZE');
    return client;
  } catch (error) {
    const why = queryError('', error).code;
    throw new StartupError(
      `The embedded database in ${folder} cannot be opened (${why}; ${space.freeMib} MB of its disk are free); if the disk is not full, restore the folder from a backup, or set DATA_DIR to another one.`,
    );
  }
}

function requireSpace(space: DiskSpace, folder: string, reserveMib: number): void {
  if (space.freeMib >= reserveMib) return;
  throw new StartupError(
    `The disk of the data folder ${folder} has ${space.freeMib} MB free, and ${reserveMib} MB are kept for the database's own work (DATA_DIR_RESERVE_MB); nothing is lost: make room on that disk, and start again.`,
  );
}

const warnOfSpace = (folder: string) => {
  const logger = new Logger('Database');
  return (isShort: boolean, freeMib: number): void => {
    if (isShort)
      logger.warn(
        `The disk of ${folder} has ${freeMib} MB free: nothing more is stored until there is room again (DATA_DIR_RESERVE_MB).`,
      );
    else logger.log(`The disk of ${folder} has ${freeMib} MB free: everything is stored again.`);
  };
};
