import { drizzle } from 'drizzle-orm/node-postgres';
import { DeadlineError, LogSampler } from '@crossfade/push';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { parseExactly } from '../parsing/exact-number.js';
import { onlyReads, plainErrors, type Database, type Transaction } from './queries.js';
import { isRefusal, NoConnection, QueryError, queryError } from './query-error.js';

// drizzle leaves JSON to the driver, and the driver has one global list of parsers.
pg.types.setTypeParser(pg.types.builtins.JSONB, parseExactly);

/** To open a connection, or to wait for one that is in use. */
const CONNECT_MS = 3000;
/** How long a connection is silent before the kernel probes the server. */
const KEEP_ALIVE_MS = 10_000;
/** How much longer our deadline is than the server's, which should come first. */
const SERVER_FIRST_MS = 1000;

/** A client with a listener for `error`: without one, a lost connection would end the process. */
export class Connection extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    // The user of the connection learns it from its query, the pool from its own listener.
    this.on('error', () => undefined);
  }
}

export interface PoolOptions {
  readonly url: string;
  readonly size: number;
  readonly statementSeconds: number;
  readonly lockSeconds: number;
}

/**
 * Connections to PostgreSQL. No state on the server outlasts a transaction, and connecting sends no query, so a pooler
 * that lends connections by transaction may stand in between. Every query has a deadline on this side: a connection
 * that does not answer in time is destroyed, and so is a broken one.
 */
export class PostgresPool {
  readonly #pool: pg.Pool;
  readonly #begin: string;
  readonly #deadlineMs: number;
  readonly #logger = new Logger('Database');
  readonly #sampler = new LogSampler(5, 60_000);
  #isDropping = false;

  constructor({ url, size, statementSeconds, lockSeconds }: PoolOptions) {
    this.#pool = new pg.Pool({
      connectionString: url,
      Client: Connection,
      max: size,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      application_name: 'crossfade',
    });
    this.#pool.on('error', (error) => this.#lost(error));
    this.#deadlineMs = statementSeconds * 1000 + SERVER_FIRST_MS;
    // The last one is for a process that is cut off within a transaction: the server does not notice, and keeps its locks.
    this.#begin = `BEGIN; SET LOCAL statement_timeout = '${statementSeconds}s'; SET LOCAL lock_timeout = '${lockSeconds}s'; SET LOCAL idle_in_transaction_session_timeout = '${statementSeconds}s'`;
  }

  get counts(): { readonly idle: number; readonly used: number; readonly waiting: number } {
    const { idleCount: idle, totalCount, waitingCount: waiting } = this.#pool;
    return { idle, used: totalCount - idle, waiting };
  }

  /** A builder that runs each statement on a connection of its own. */
  get database(): Database {
    const builder = plainErrors(
      drizzle({ client: clientOf((config, values) => this.#query(config, values)) }),
    );
    return Object.assign(builder, {
      transaction: <T>(work: (transaction: Transaction) => Promise<T>) => this.#transaction(work),
    });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  /**
   * Runs a single statement. A write gets a transaction, because the server has a deadline only within one, and a write
   * must not go on waiting for a row when nobody waits for its result any more. A read blocks nobody.
   */
  async #query(config: pg.QueryConfig, values: unknown[]): Promise<unknown> {
    if (!onlyReads(config.text)) return this.#inTransaction((client) => this.#ask(client, config, values));
    const client = await this.#checkOut();
    try {
      const result = await this.#ask(client, config, values);
      client.release();
      return result;
    } catch (error) {
      if (isRefusal(error)) client.release();
      else this.#destroy(client);
      throw error;
    }
  }

  #transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#inTransaction(async (client) => {
      let isOver = false;
      try {
        return await work(this.#builderOf(client, () => isOver));
      } finally {
        isOver = true;
      }
    });
  }

  async #inTransaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#checkOut().catch((error: unknown) => {
      throw queryError('BEGIN', error);
    });
    try {
      await this.#ask(client, { text: this.#begin }, []).catch((error: unknown) => {
        throw queryError('BEGIN', error);
      });
      const result = await work(client);
      await this.#commit(client);
      client.release();
      return result;
    } catch (error) {
      await this.#undo(client);
      throw error;
    }
  }

  /** Throws after the end of the transaction: a late query would run in somebody else's. */
  #builderOf(client: pg.PoolClient, isOver: () => boolean): Transaction {
    const ask = (config: pg.QueryConfig, values: unknown[]): Promise<unknown> => {
      if (isOver()) throw new TypeError('a query came after the end of its transaction');
      return this.#ask(client, config, values);
    };
    return plainErrors(drizzle({ client: clientOf(ask) }));
  }

  async #commit(client: pg.PoolClient): Promise<void> {
    try {
      const { command } = await this.#ask(client, { text: 'COMMIT' }, []);
      // PostgreSQL answers ROLLBACK when an earlier statement failed and the caller went on as if it had not.
      if (command !== 'COMMIT') throw new QueryError('COMMIT', '25P02', false);
    } catch (error) {
      throw queryError('COMMIT', error, isRefusal(error) ? 'nothing was done' : 'unknown');
    }
  }

  /** Rolls back. A connection on which that fails is not used again. */
  async #undo(client: pg.PoolClient): Promise<void> {
    try {
      await this.#ask(client, { text: 'ROLLBACK' }, []);
      client.release();
    } catch {
      this.#destroy(client);
    }
  }

  async #checkOut(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw new NoConnection(error);
    }
  }

  /**
   * Runs a query, and destroys the connection if the deadline passes: a late result would answer another query. No cancel
   * request is sent: PgBouncer before 1.19 crashes when many come from clients that have disconnected (its issues 801 and
   * 822).
   */
  async #ask(client: pg.PoolClient, config: pg.QueryConfig, values: unknown[]): Promise<pg.QueryResult> {
    const late = setTimeout(() => {
      client.connection.stream.destroy(new DeadlineError('PostgreSQL', this.#deadlineMs));
      void this.#dropIdle();
    }, this.#deadlineMs);
    try {
      return await client.query(config, values);
    } finally {
      clearTimeout(late);
    }
  }

  #destroy(client: pg.PoolClient): void {
    client.connection.stream.destroy();
    client.release(true);
  }

  /** Where one connection is a black hole, the idle ones are too. Destroys them, so that new ones are opened. */
  async #dropIdle(): Promise<void> {
    if (this.#isDropping) return;
    this.#isDropping = true;
    try {
      while (this.#pool.idleCount > 0) this.#destroy(await this.#pool.connect());
    } catch (error) {
      this.#lost(error);
    } finally {
      this.#isDropping = false;
    }
  }

  #lost(error: unknown): void {
    const taken = this.#sampler.take('lost', performance.now());
    if (taken === undefined) return;
    const before = taken.leftOut === 0 ? '' : `, and ${taken.leftOut} more before it`;
    this.#logger.warn(`A connection was lost (${queryError('', error).code})${before}.`);
  }
}

/** drizzle takes one of the driver's clients, and uses nothing of it but `query`. */
function clientOf(query: (config: pg.QueryConfig, values: unknown[]) => Promise<unknown>): pg.Client {
  return { query } as unknown as pg.Client;
}
