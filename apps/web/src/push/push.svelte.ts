import { readControl, type Envelope } from '@crossfade/protocol';
import { catalog, readMessage, type Message } from '@crossfade/protocol/catalog';
import type { QueryKey } from '@tanstack/svelte-query';
import { everything } from '../queries';
import { RecentIds } from './recent-ids';
import { staleAfter } from './stale';
import { next, type PushEvent, type PushState } from './state';
import { PushStream } from './stream';

/** A tab that is hidden for less than this keeps its stream. */
const HIDDEN_MS = 5000;
/** How many critical messages' ids are remembered, to drop repeats. */
const REMEMBERED = 200;

type MessageOfType<Type extends Message['type']> = Extract<Message, { type: Type }>;

/** What the app gives its stream: a token, and what to do with its messages. */
interface PushBinding {
  readonly token: string;
  readonly client: string;
  /** Data under these keys is stale. */
  stale(keys: readonly QueryKey[]): void;
  /** A message that is shown as it is. */
  notified(message: MessageOfType<'ReleaseNotification' | 'SystemNotification'>): void;
  /** The token is no longer valid. */
  signedOut(): void;
}

/** The app's only stream: carries out the effects of the states that `next` returns. */
class Push {
  state = $state.raw<PushState>({ name: 'idle' });
  #binding: PushBinding | undefined;
  #stream: PushStream | undefined;
  #cursor: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  readonly #criticals = new RecentIds(REMEMBERED);

  start(binding: PushBinding): void {
    this.stop();
    this.#binding = binding;
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#apply({ type: 'start' });
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearTimeout(this.#hiding);
    this.#apply({ type: 'stop' });
    this.#binding = undefined;
    this.#cursor = undefined;
    this.#criticals.clear();
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hiding);
    if (!document.hidden) this.#apply({ type: 'shown' });
    else this.#hiding = setTimeout(() => this.#apply({ type: 'hidden' }), HIDDEN_MS);
  };

  #apply(event: PushEvent): void {
    const before = this.state;
    const after = next(before, event, performance.now(), Math.random());
    if (after === before) return;
    this.state = after;
    this.#enter(after);
  }

  /** Carries out a state's effects. `open` keeps the stream that `connecting` opened; no other state has one. */
  #enter(state: PushState): void {
    clearTimeout(this.#timer);
    if (state.name === 'open') return this.#stream?.expectKeepAliveEvery(state.keepAliveMs);
    this.#stream?.close();
    this.#stream = undefined;
    switch (state.name) {
      case 'connecting':
        this.#stream = this.#open();
        return;
      case 'waiting':
      case 'off':
        this.#timer = setTimeout(() => this.#apply({ type: 'due' }), state.delayMs);
        return;
      case 'refused':
        if (state.why === 'unauthorized') this.#binding?.signedOut();
        return;
      case 'idle':
      case 'paused':
        return;
    }
  }

  #open(): PushStream | undefined {
    if (this.#binding === undefined) return undefined;
    const { token, client } = this.#binding;
    return new PushStream(
      { token, client, cursor: this.#cursor },
      {
        message: (id, envelope) => this.#message(id, envelope),
        cursor: (id) => (this.#cursor = id === '' ? undefined : id),
        failed: (status, retryAfterMs) => this.#apply({ type: 'failed', status, retryAfterMs }),
        ended: () => this.#apply({ type: 'ended' }),
      },
    );
  }

  #message(id: string | undefined, envelope: Envelope): void {
    const control = readControl(envelope);
    switch (control?.type) {
      case 'Connected':
        this.#apply({ type: 'connected', keepAliveMs: control.message.keep_alive_seconds * 1000 });
        if (control.message.resumed !== 'resumed') this.#binding?.stale([everything]);
        return;
      case 'Resync': {
        const binding = this.#binding;
        setTimeout(() => binding?.stale([everything]), control.message.delay_ms);
        return;
      }
      case 'Reconnect':
        return this.#apply({ type: 'moved', delayMs: control.message.delay_ms });
      case 'Revoked':
        return this.#apply({ type: 'revoked' });
    }
    const message = readMessage(envelope);
    if (message === undefined || this.#isRepeated(id, message.type)) return;
    if (message.type === 'ReleaseNotification' || message.type === 'SystemNotification')
      this.#binding?.notified(message);
    this.#binding?.stale(staleAfter(message));
  }

  #isRepeated(id: string | undefined, type: keyof typeof catalog): boolean {
    return id !== undefined && catalog[type].delivery === 'critical' && !this.#criticals.add(id);
  }
}

export const push = new Push();
