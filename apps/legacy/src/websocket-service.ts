import {
  PUSH_PATH,
  PUSH_SETTINGS_PATH,
  SILENCE_INTERVALS,
  SUBPROTOCOL,
  decodeWebSocketFrame,
  parameter,
  pushSettings,
  readControl,
  shouldComeBack,
  type Envelope,
} from '@crossfade/protocol';
import { ChangeType } from '@crossfade/protocol/catalog';
import type { Session } from './session';

/** The state of the stream, as the user sees it. */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'waiting' | 'paused' | 'off' | 'refused';

const HANDSHAKE_MS = 10_000;
const STABLE_MS = 10_000;
const HIDDEN_MS = 5000;
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;
const PROBE_MS = 5 * 60_000;
const REMEMBERED = 200;

/**
 * The app's only contact with push: one WebSocket, whose messages are emitted on `$rootScope` under their type.
 *
 * - `added`, `updated` or `deleted` is set on the message from its `change_type`.
 * - `UserMembershipChanged` is emitted as `OrganizationChanged` and `ProjectChanged`, too.
 * - `WebSocketReconnected`: messages may have been missed, so refetch what is shown.
 * - `WebSocketStateChanged`: `state` has changed.
 *
 * @deprecated The modern app listens over Server-Sent Events. This service and the WebSocket gateway go when the gauge
 * of open WebSocket connections stays at zero.
 */
export class WebSocketService {
  static readonly $inject = ['$rootScope', '$http', '$timeout', 'session'];
  state: ConnectionState = 'idle';
  #socket: WebSocket | undefined;
  #timer: angular.IPromise<void> | undefined;
  #hiding: angular.IPromise<void> | undefined;
  #attempt = 0;
  /** Counts attempts. A late response to a former attempt is ignored. */
  #begun = 0;
  #cursor: string | undefined;
  #keepAliveMs = 15_000;
  #seen = new Set<string>();

  constructor(
    private readonly $rootScope: angular.IRootScopeService,
    private readonly $http: angular.IHttpService,
    private readonly $timeout: angular.ITimeoutService,
    private readonly session: Session,
  ) {
    document.addEventListener('visibilitychange', () => this.#onVisibility());
  }

  start(): void {
    this.#drop();
    this.#attempt = 0;
    this.#connect();
  }

  /** Lets the page load first. */
  startDelayed(milliseconds = 1000): void {
    this.#drop();
    this.#wait('connecting', milliseconds, () => this.start());
  }

  stop(): void {
    this.#drop();
    this.#cursor = undefined;
    this.#seen.clear();
    this.#become('idle');
  }

  /** A browser cannot see why an upgrade was refused, so the app first fetches whether push is on. */
  #connect(): void {
    this.#become('connecting');
    const begun = this.#begun;
    this.$http.get<unknown>(PUSH_SETTINGS_PATH, { timeout: HANDSHAKE_MS }).then(
      ({ data }) => {
        if (this.#begun !== begun) return;
        const settings = pushSettings.safeParse(data);
        if (!settings.success || !settings.data.enabled)
          return this.#wait('off', jitterUp(PROBE_MS), () => this.#connect());
        this.#open();
      },
      () => {
        if (this.#begun === begun) this.#retry();
      },
    );
  }

  #open(): void {
    const { token } = this.session;
    if (token === undefined) return this.stop();
    const query = new URLSearchParams({ [parameter.token]: token, [parameter.client]: 'legacy/0.0.0' });
    if (this.#cursor !== undefined) query.set(parameter.cursor, this.#cursor);
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}${PUSH_PATH}?${query}`, SUBPROTOCOL);
    this.#socket = socket;
    const openedAt = performance.now();
    this.#expectKeepAlive(HANDSHAKE_MS);
    socket.onmessage = ({ data }) => this.#inDigest(socket, () => this.#receive(String(data)));
    socket.onclose = ({ code, reason }) =>
      this.#inDigest(socket, () => {
        if (this.state === 'open' && performance.now() - openedAt >= STABLE_MS) this.#attempt = 0;
        this.#closed(code, reason);
      });
  }

  #closed(code: number, reason: string): void {
    this.#drop();
    if (code === 4401) return this.#refused(true);
    if (code === 4290 || code === 4503)
      return this.#wait('waiting', jitterUp(retryAfterMs(reason)), () => this.#connect());
    if (shouldComeBack(code)) return this.#retry();
    this.#refused(false);
  }

  #refused(endsSession: boolean): void {
    this.#drop();
    this.#become('refused');
    if (endsSession) this.session.end(true);
  }

  #receive(text: string): void {
    this.#expectKeepAlive(this.#keepAliveMs * SILENCE_INTERVALS);
    const frame = decodeWebSocketFrame(text);
    if (frame === undefined) return;
    const repeated =
      frame.id !== undefined && frame.envelope !== undefined && this.#isRepeated(frame.id, frame.envelope);
    if (frame.id !== undefined) this.#cursor = frame.id;
    if (frame.envelope !== undefined && !repeated) this.#handle(frame.envelope);
  }

  #handle(envelope: Envelope): void {
    const control = readControl(envelope);
    switch (control?.type) {
      case undefined:
        return this.#emit(envelope);
      case 'Connected':
        this.#keepAliveMs = control.message.keep_alive_seconds * 1000;
        this.#expectKeepAlive(this.#keepAliveMs * SILENCE_INTERVALS);
        this.#become('open');
        if (control.message.resumed !== 'resumed') this.$rootScope.$emit('WebSocketReconnected');
        return;
      case 'Resync':
        void this.$timeout(() => this.$rootScope.$emit('WebSocketReconnected'), control.message.delay_ms);
        return;
      case 'Reconnect':
        this.#drop();
        this.#attempt = 0;
        return this.#wait('waiting', control.message.delay_ms, () => this.#connect());
      case 'Revoked':
        return this.#refused(true);
    }
  }

  #emit({ type, message }: Envelope): void {
    if (typeof message !== 'object' || message === null) return;
    const change = 'change_type' in message ? message.change_type : undefined;
    const emitted = {
      ...message,
      added: change === ChangeType.Added,
      updated: change === ChangeType.Saved,
      deleted: change === ChangeType.Removed,
    };
    this.$rootScope.$emit(type, emitted);
    if (type !== 'UserMembershipChanged') return;
    this.$rootScope.$emit('OrganizationChanged', emitted);
    this.$rootScope.$emit('ProjectChanged', emitted);
  }

  /** A control message repeats the cursor of an earlier message, so its id says nothing. */
  #isRepeated(id: string, envelope: Envelope): boolean {
    if (readControl(envelope) !== undefined) return false;
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
    return false;
  }

  #retry(): void {
    this.#drop();
    const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    this.#wait('waiting', Math.random() * most, () => this.#connect());
  }

  #wait(state: ConnectionState, milliseconds: number, then: () => void): void {
    this.#become(state);
    this.#setTimer(milliseconds, then);
  }

  #expectKeepAlive(milliseconds: number): void {
    this.#setTimer(milliseconds, () => this.#retry());
  }

  #setTimer(milliseconds: number, then: () => void): void {
    if (this.#timer !== undefined) this.$timeout.cancel(this.#timer);
    this.#timer = this.$timeout(then, milliseconds);
  }

  /** Drops the socket and the timer. Whatever the socket still delivers is ignored. */
  #drop(): void {
    this.#begun += 1;
    if (this.#timer !== undefined) this.$timeout.cancel(this.#timer);
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #inDigest(socket: WebSocket, call: () => void): void {
    this.$rootScope.$evalAsync(() => {
      if (this.#socket === socket) call();
    });
  }

  #onVisibility(): void {
    if (this.#hiding !== undefined) this.$timeout.cancel(this.#hiding);
    if (!document.hidden) {
      if (this.state === 'paused') this.start();
      return;
    }
    this.#hiding = this.$timeout(() => {
      if (!['connecting', 'open', 'waiting'].includes(this.state)) return;
      this.#drop();
      this.#become('paused');
    }, HIDDEN_MS);
  }

  #become(state: ConnectionState): void {
    if (this.state === state) return;
    this.state = state;
    this.$rootScope.$emit('WebSocketStateChanged');
  }
}

const jitterUp = (milliseconds: number): number => milliseconds * (1 + Math.random() * 0.5);

function retryAfterMs(reason: string): number {
  const found = /^\{"retry_after_ms":(\d{1,9})\}$/.exec(reason)?.[1];
  return found === undefined ? LONGEST_MS : Number(found);
}
