import { LoggableError } from './loggable-error.js';

/** A fault that the operator can fix. The message is one sentence that says how. The process exits with 1. */
export class StartupError extends LoggableError {
  override readonly name = 'StartupError';
}

/** Turns a failed `listen` into a `StartupError`; returns any other error as it is. */
export function couldNotListen(error: unknown, setting: string, port: number, host: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return new StartupError(
        `Port ${port} is in use; stop the program that uses it, or set ${setting} to another one.`,
      );
    case 'EACCES':
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupError(
        `Nothing can listen on ${host}:${port} (${code}); set HOST and ${setting} to others.`,
      );
    default:
      return error;
  }
}
