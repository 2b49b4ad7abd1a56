import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that tests talk to. */
export interface Program {
  readonly name: string;
  /** What its file may be called. */
  readonly files: readonly string[];
  /** Names where it is, should it be elsewhere. */
  readonly setting?: string;
  /** Debian's package that has it. */
  readonly package: string;
}

/** Where Debian keeps what only an administrator runs, which a person's `PATH` need not name. */
const ADMINISTRATORS = '/usr/sbin';

/** Where a program is. @throws with what to install, if it is not there. */
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
