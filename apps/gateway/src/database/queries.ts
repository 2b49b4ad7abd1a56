import { DrizzleQueryError } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { DiskFull } from './disk-space.js';
import { queryError } from './query-error.js';

/** drizzle's builder, whose own `transaction` loses connections and hides errors: ours is in its place. */
type Builder = Omit<PgDatabase<PgQueryResultHKT>, 'transaction'>;

/** What runs queries inside a transaction. There is no transaction in a transaction. */
export type Transaction = Builder;

/** What runs queries: the embedded PGlite and PostgreSQL alike. */
export interface Database extends Builder {
  /**
   * Runs `work` in one transaction: committed when it resolves, undone when it rejects, with the error that it rejected
   * with. @throws QueryError whose outcome is `unknown` when nobody can say whether it was committed
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
}

/** Whoever only queries takes either. */
export type Queries = Pick<Database, 'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | '$count'>;

/** Lets no error leave a builder that repeats what was asked with: drizzle's own lists every parameter in its message. */
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

/** Whether a statement changes nothing; when in doubt, it does. */
export const onlyReads = (statement: string): boolean => READS.test(statement) && !WRITES.test(statement);
