import { Api } from './api/api';
import { login } from './api/schemas';
import { linkSecrets } from './link-secrets.svelte';

const KEY = 'crossfade.token';

/** Who is signed in, in all tabs of this browser. */
class Session {
  token = $state(localStorage.getItem(KEY) ?? undefined);
  /** Counts sign-ins: what was fetched for one account must not be shown to the next. */
  account = $state(0);
  /** Whether it ended without the user signing out. */
  expired = $state(false);
  readonly api = $derived.by(() => {
    const { token } = this;
    return new Api(token, () => {
      // A late response to a former token says nothing about this one.
      if (this.token === token) this.end(true);
    });
  });

  constructor() {
    addEventListener('storage', ({ key, newValue }) => {
      if (key === KEY) this.#become(newValue ?? undefined);
    });
  }

  async signIn(email: string, password: string): Promise<void> {
    this.#begin(await new Api(undefined).post('/auth/login', { email, password }, login));
  }

  /** Accepts the invitation whose link was opened, if there is one. */
  async signUp(email: string, password: string, fullName: string): Promise<void> {
    const { invitation } = linkSecrets;
    const account = { email, password, full_name: fullName, ...(invitation && { invitation }) };
    const session = await new Api(undefined).post('/auth/signup', account, login);
    linkSecrets.invitation = undefined;
    this.#begin(session);
  }

  #begin({ token }: { token: string }): void {
    localStorage.setItem(KEY, token);
    this.expired = false;
    this.#become(token);
  }

  /** Ends the session here even if the server cannot be reached. */
  async signOut(): Promise<void> {
    const { api } = this;
    this.end(false);
    await api.send('POST', '/auth/logout').catch(() => undefined);
  }

  end(expired: boolean): void {
    if (this.token === undefined) return;
    localStorage.removeItem(KEY);
    this.expired = expired;
    this.#become(undefined);
  }

  #become(token: string | undefined): void {
    if (token !== undefined && token !== this.token) this.account += 1;
    this.token = token;
  }
}

export const session = new Session();
