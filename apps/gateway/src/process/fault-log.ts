import { Logger } from '@nestjs/common';
import { DeadlineError, LogSampler, PushError } from '@crossfade/push';
import { NotConnected, RedisFault } from '@crossfade/push/redis';
import { LoggableError } from './loggable-error.js';

const LINES = 5;
const WINDOW_MS = 60_000;
/** Lines of a stack trace. */
const FRAMES = 12;

/** Logs our own failures: a few lines a minute of each kind, then a count, and nothing that people typed. */
export class FaultLog {
  readonly #logger: Logger;
  readonly #sampler = new LogSampler(LINES, WINDOW_MS);

  constructor(context: string) {
    this.#logger = new Logger(context);
  }

  /** `doing`: the kind of failure, a phrase that follows "While". */
  failure(error: unknown, doing: string): void {
    const taken = this.#sampler.take(doing, performance.now());
    if (taken === undefined) return;
    const before = taken.leftOut === 0 ? '' : ` (${taken.leftOut} more like this before)`;
    this.#logger.error(`While ${doing}: ${describeFault(error)}${before}`);
  }
}

/**
 * Describes an error for the log. Our own errors are safe to log. The message of any other may quote its input, so only
 * its name, its code and its stack are logged.
 */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`;
  const isOwn = [LoggableError, DeadlineError, PushError, RedisFault, NotConnected].some(
    (kind) => error instanceof kind,
  );
  if (isOwn) return error.message;
  const code = codeOf(error);
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [`${error.name}${code}`, ...frames.slice(0, FRAMES)].join('\n');
}

/** A code of the system, or the first word of an answer of Redis, such as OOM. */
function codeOf(error: Error): string {
  const code = 'code' in error ? error.code : /^[A-Z]{3,}(?= )/.exec(error.message)?.[0];
  return typeof code === 'string' ? ` (${code})` : '';
}
