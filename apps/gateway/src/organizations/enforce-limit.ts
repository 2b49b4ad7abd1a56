import { conflict } from '../http/problem.js';

/**
 * Refuses one more than a setting allows. Count in a transaction that has locked the owning row, so that nobody else adds
 * one meanwhile. @throws ProblemException 409
 */
export async function enforceLimit(
  counted: Promise<number>,
  most: number,
  sentence: (most: string) => string,
): Promise<void> {
  if ((await counted) >= most) throw conflict(sentence(most.toLocaleString('en')));
}
