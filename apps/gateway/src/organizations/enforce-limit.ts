import { conflict } from '../http/problem.js';

/**
 * Refuses what would be one more than a setting allows. Count in a transaction that has the row locked to which the things
 * belong: then no other adds one meanwhile. @throws ProblemException 409
 */
export async function enforceLimit(
  counted: Promise<number>,
  most: number,
  sentence: (most: string) => string,
): Promise<void> {
  if ((await counted) >= most) throw conflict(sentence(most.toLocaleString('en')));
}
