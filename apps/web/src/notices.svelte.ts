import type { Notification } from './api/schemas';

const DISMISSED = 'crossfade.dismissed-notification';
/** How long before a critical release reloads the page. */
const NOTICE_MS = 60_000;

/** A release that is newer than this page. */
interface Release {
  readonly critical: boolean;
  readonly message: string | undefined;
  /** When the page reloads, by `performance.now`, unless the user does it before. */
  readonly dueAt: number | undefined;
}

/** What everyone is told: releases, and whether the system notification was dismissed. */
class Notices {
  release = $state.raw<Release>();
  #dismissed = $state(localStorage.getItem(DISMISSED));
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (document.hidden && this.release?.critical) this.reload();
    });
    addEventListener('storage', ({ key, newValue }) => {
      if (key === DISMISSED) this.#dismissed = newValue;
    });
  }

  /** Whether it is meant for this app and was not dismissed. A notification that replaces it is shown again. */
  shows({ target, date }: Notification): boolean {
    return target !== 'Legacy' && date !== this.#dismissed;
  }

  dismiss({ date }: Notification): void {
    localStorage.setItem(DISMISSED, date);
    this.#dismissed = date;
  }

  /** A critical one reloads the page when the tab is next hidden, or after a minute. */
  released({ critical, message }: { critical: boolean; message?: string | undefined }): void {
    if (this.release?.critical) return;
    this.release = { critical, message, dueAt: critical ? performance.now() + NOTICE_MS : undefined };
    if (critical) this.#timer = setTimeout(() => this.reload(), NOTICE_MS);
  }

  /** A critical one cannot be put off. */
  dismissRelease(): void {
    if (!this.release?.critical) this.release = undefined;
  }

  reload(): void {
    clearTimeout(this.#timer);
    location.reload();
  }
}

export const notices = new Notices();
