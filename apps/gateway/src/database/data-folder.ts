import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartupError } from '../startup-error.js';

/**
 * Keeps a data folder to one process. The lock is the operating system's own lock on a file, held through SQLite
 * because Node has no other way to it: it goes away with the process, however that ends.
 * @returns what gives it back.
 * @throws StartupError if the folder cannot be written, or another process has it.
 */
export function holdDataFolder(folder: string): () => void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new StartupError(
      `The data folder ${folder} cannot be written (${codeOf(error)}); set DATA_DIR to a folder that can, or DATABASE_URL to a PostgreSQL.`,
    );
  }
  const lock = new DatabaseSync(join(folder, 'lock'));
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch {
    lock.close();
    throw new StartupError(
      `The data folder ${folder} is in use by another gateway; stop that one, or set DATA_DIR to another folder.`,
    );
  }
  return () => lock.close();
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
