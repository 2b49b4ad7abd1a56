import { pathToFileURL } from 'node:url';
import { isAbsolute, resolve } from 'node:path';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { StartupError } from '../process/startup-error.js';

/** A mail to send. */
export interface Mail {
  readonly about: 'invitation' | 'password-reset';
  /** An e-mail address in lower case. */
  readonly to: string;
  /** Contains a secret: whoever has the link can use it. */
  readonly link: string;
  /** When the link expires. */
  readonly expires: Date;
}

/**
 * The port for mail. The setting `MAILER` names a module whose default export is a mailer. `signal` aborts at the
 * deadline. An error is logged without the contents of the mail.
 */
export interface Mailer {
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** Injects the `Mailer`, or undefined. */
export const MAILER = Symbol('MAILER');

const DEADLINE_MS = 10_000;
/** Mails that are being sent at once, so that a transport that hangs does not gather more. */
const MOST_AT_ONCE = 100;

/** The mailer that a module exports. `name`: a path relative to the working directory, or a package name. @throws StartupError */
export async function openMailer(name: string | undefined): Promise<Mailer | undefined> {
  if (name === undefined) return undefined;
  const isPath = isAbsolute(name) || name.startsWith('.');
  let opened: unknown;
  try {
    opened = await import(isPath ? pathToFileURL(resolve(name)).href : name);
  } catch (error) {
    throw new StartupError(
      `The module that MAILER names cannot be loaded (${error instanceof Error ? error.message : String(error)}).`,
    );
  }
  const { default: mailer } = opened as { default?: Partial<Mailer> };
  if (typeof mailer?.send !== 'function')
    throw new StartupError('The module that MAILER names must have a default export with a method "send".');
  return mailer as Mailer;
}

/** Passes mails to the mailer, if there is one. Nothing waits for them, and none is sent twice. */
@Injectable()
export class OutgoingMail {
  readonly #logger = new Logger('Mail');
  #sending = 0;

  constructor(@Inject(MAILER) private readonly mailer: Mailer | undefined) {}

  send(mail: Mail): void {
    if (this.mailer === undefined) return;
    if (this.#sending >= MOST_AT_ONCE)
      return this.#logger.warn('A mail was dropped: too many are being sent.');
    this.#sending += 1;
    this.#attempt(this.mailer, mail)
      .catch((error: unknown) => {
        // Its message may quote the address or the link.
        const kind = error instanceof Error ? error.name : typeof error;
        this.#logger.warn(`A mail about ${mail.about} could not be sent (${kind}).`);
      })
      .finally(() => (this.#sending -= 1));
  }

  async #attempt(mailer: Mailer, mail: Mail): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    await Promise.race([Promise.resolve().then(() => mailer.send(mail, signal)), late]);
  }
}
