import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that tests talk to. */
export interface Program {
  readonly name: string;
  /** The names that its file may have. */
  readonly files: readonly string[];
  /** The environment variable with its path, for when it is elsewhere. */
  readonly setting?: string;
  /** The Debian package that has it. */
  readonly package: string;
}

/** Debian's folder of programs for administrators, which a user's `PATH` need not contain. */
const ADMINISTRATORS = '/usr/sbin';

/** The path of a program. @throws with what to install if it is missing. */
export function findProgram({ name, files, setting, package: debian }: Program): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ADMINISTRATORS];
  const found =
    (setting === undefined ? undefined : process.env[setting]) ??
    files.flatMap((file) => folders.map((folder) => join(folder, file))).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    `${name} is not installed: install it (Debian: apt-get install ${debian})` +
      (setting === undefined ? '' : `, or set ${setting} to where it is`),
  );
}
