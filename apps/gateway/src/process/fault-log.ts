import { Logger } from '@nestjs/common';
import { DeadlineError, LogBudget, PushError } from '@crossfade/push';
import { LoggableError } from './loggable-error.js';

const LINES = 5;
const WINDOW_MS = 60_000;
/** Of a stack. */
const FRAMES = 12;

/** Logs what failed on our side: a few lines a minute for each kind, then a count, and nothing that people typed. */
export class FaultLog {
  readonly #logger: Logger;
  readonly #budget = new LogBudget(LINES, WINDOW_MS);

  constructor(context: string) {
    this.#logger = new Logger(context);
  }

  /** `doing` is the kind, and reads well after "While". */
  failure(error: unknown, doing: string): void {
    const taken = this.#budget.take(doing, performance.now());
    if (taken === undefined) return;
    const before = taken.leftOut === 0 ? '' : ` (${taken.leftOut} more like this before)`;
    this.#logger.error(`While ${doing}: ${describeFault(error)}${before}`);
  }
}

/**
 * What may be logged of an error. Our own errors are made to be read; the message of any other may quote its input, so
 * its kind, its code and where it happened have to do.
 */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`;
  const isOwn = [LoggableError, DeadlineError, PushError].some((kind) => error instanceof kind);
  if (isOwn) return error.message;
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [`${error.name}${code}`, ...frames.slice(0, FRAMES)].join('\n');
}
