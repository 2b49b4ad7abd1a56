import { DrizzleQueryError } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { DiskFull } from './disk-space.js';
import { queryError } from './query-error.js';

/** drizzle's builder without its own `transaction`, which loses connections and hides errors: ours replaces it. */
type Builder = Omit<PgDatabase<PgQueryResultHKT>, 'transaction'>;

/** Runs queries inside a transaction. Transactions do not nest. */
export type Transaction = Builder;

/** Runs queries, on the embedded PGlite and on PostgreSQL alike. */
export interface Database extends Builder {
  /**
   * Runs `work` in one transaction: commits when it resolves; rolls back when it rejects, and rejects with its error.
   * @throws QueryError whose outcome is `unknown` if the connection was lost during the commit
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
}

/** For code that only queries: a database or a transaction. */
export type Queries = Pick<Database, 'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | '$count'>;

/** Replaces a builder's errors by ones without values: drizzle's own list every parameter in the message. */
export function plainErrors<B extends PgDatabase<PgQueryResultHKT>>(builder: B): B {
  const { session } = builder._;
  const prepare = session.prepareQuery.bind(session);
  session.prepareQuery = (query, ...rest) => {
    const prepared = prepare(query, ...rest);
    const execute = prepared.execute.bind(prepared);
    prepared.execute = async (values) => {
      try {
        return await execute(values);
      } catch (error) {
        const why = error instanceof DrizzleQueryError ? error.cause : error;
        throw why instanceof DiskFull ? why : queryError(query.sql, why);
      }
    };
    return prepared as never;
  };
  return builder;
}

const READS = /^\s*(select|with|show|values)\b/i;
const WRITES = /\b(insert\s+into|update|delete\s+from|for\s+(no\s+key\s+)?(update|share))\b/i;

/** Whether a statement changes nothing. When in doubt, it counts as a write. */
export const onlyReads = (statement: string): boolean => READS.test(statement) && !WRITES.test(statement);
