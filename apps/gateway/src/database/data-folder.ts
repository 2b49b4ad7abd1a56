import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartupError } from '../process/startup-error.js';

/** Read, write and run bits of everybody but the owner. */
const OTHERS = 0o077;

/**
 * Locks a data folder for this process. The lock is the operating system's own file lock, taken through SQLite because
 * Node offers no other way to it: it is released when the process ends, however it ends.
 * @returns a function that releases the lock
 * @throws StartupError if the folder cannot be written, or another process has locked it
 */
export function holdDataFolder(folder: string): () => void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new StartupError(
      `The data folder ${folder} cannot be written (${codeOf(error)}); set DATA_DIR to a writable folder, or DATABASE_URL to a PostgreSQL server.`,
    );
  }
  const lock = openLock(folder);
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

function openLock(folder: string): DatabaseSync {
  const path = join(folder, 'lock');
  try {
    const lock = new DatabaseSync(path);
    if (existsSync(path)) tightenOne(path);
    return lock;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw notOurs(path);
  }
}

/**
 * Makes the database's files accessible to this process' account only, whatever the umask was when they were made. The
 * parent folder may stay open to others: the root of a volume often is.
 * @returns how many files and folders were open to others
 * @throws StartupError if one is open to others and belongs to another account
 */
export function tighten(folder: string): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let tightened = tightenOne(folder) ? 1 : 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) tightened += tighten(path);
    else if (entry.isFile() && tightenOne(path)) tightened += 1;
  }
  return tightened;
}

/** @returns whether it was open to others */
function tightenOne(path: string): boolean {
  // Windows has no such bits.
  if (process.getuid === undefined) return false;
  const { mode } = statSync(path);
  if ((mode & OTHERS) === 0) return false;
  try {
    chmodSync(path, mode & 0o700);
    return true;
  } catch {
    throw notOurs(path);
  }
}

function notOurs(path: string): StartupError {
  const own = process.getuid?.() ?? '';
  const owner = lstatSync(path, { throwIfNoEntry: false })?.uid ?? 'unknown';
  return new StartupError(
    `${path} belongs to account ${owner}, and accounts other than this gateway's (${own}) could change what is stored; run "chown -R ${own} ${path}" and "chmod -R go-rwx ${path}", or set DATA_DIR to another folder.`,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
