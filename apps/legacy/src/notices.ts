import type { Api, SystemNotification } from './api';
import { Reader } from './reader';
import type { Session } from './session';

const DISMISSED = 'crossfade.dismissed-notification';
/** How long before a critical release reloads the page. */
const NOTICE_MS = 60_000;

/** A release that is newer than this page. */
interface Release {
  readonly critical: boolean;
  readonly message?: string;
  /** When the page reloads, by `performance.now`, unless the user does it before. */
  readonly dueAt?: number;
}

/** What everyone is told: the system notification, its dismissal, and releases. */
export class Notices {
  static readonly $inject = ['$rootScope', '$timeout', 'api', 'session'];
  release: Release | undefined;
  system: SystemNotification | undefined;
  readonly #system = new Reader<SystemNotification | undefined>((message) => this.#show(message));

  constructor(
    $rootScope: angular.IRootScopeService,
    private readonly $timeout: angular.ITimeoutService,
    private readonly api: Api,
    private readonly session: Session,
  ) {
    $rootScope.$on('ReleaseNotification', (_event, release: Release) => this.#released(release));
    $rootScope.$on('SystemNotification', (_event, message: SystemNotification) => {
      // The response to a fetch that is under way may have been made before.
      this.#system.drop();
      this.#show(message);
    });
    $rootScope.$on('WebSocketReconnected', () => this.#load());
    $rootScope.$on('SessionChanged', () => this.#load());
    document.addEventListener('visibilitychange', () => {
      if (document.hidden && this.release?.critical) this.reload();
    });
    this.#load();
  }

  dismiss(): void {
    if (this.system !== undefined) localStorage.setItem(DISMISSED, this.system.date);
    this.system = undefined;
  }

  /** A critical one cannot be put off. */
  dismissRelease(): void {
    if (!this.release?.critical) this.release = undefined;
  }

  secondsLeft(): number {
    return Math.max(0, Math.ceil(((this.release?.dueAt ?? 0) - performance.now()) / 1000));
  }

  reload(): void {
    location.reload();
  }

  /** A critical one reloads the page when the tab is next hidden, or after a minute. */
  #released({ critical, message }: Release): void {
    if (this.release?.critical) return;
    this.release = {
      critical,
      ...(message === undefined ? {} : { message }),
      ...(critical ? { dueAt: performance.now() + NOTICE_MS } : {}),
    };
    if (critical) void this.$timeout(() => this.reload(), NOTICE_MS);
  }

  #load(): void {
    const { token } = this.session;
    if (token === undefined) {
      this.#system.drop();
      this.system = undefined;
      return;
    }
    this.#system.read(token, () => this.api.systemNotification());
  }

  /** Shows it, unless it is empty, meant for the other app, or dismissed. */
  #show(message: Partial<SystemNotification> | undefined): void {
    const { date, message: text, level = 'Info', target = 'Both' } = message ?? {};
    const isShown =
      text !== undefined &&
      date !== undefined &&
      target !== 'Modern' &&
      date !== localStorage.getItem(DISMISSED);
    this.system = isShown ? { date, message: text, level, target } : undefined;
  }
}
