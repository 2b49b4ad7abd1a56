import { Api } from './api/api';
import { login } from './api/schemas';
import { linkSecrets } from './link-secrets.svelte';

const KEY = 'crossfade.token';

/** Who is signed in, in all tabs of this browser. */
class Session {
  token = $state(localStorage.getItem(KEY) ?? undefined);
  /** Counts who has signed in: what was shown to one is not for the next. */
  account = $state(0);
  /** Whether it ended without the user having asked for it. */
  expired = $state(false);
  readonly api = $derived.by(() => {
    const { token } = this;
    return new Api(token, () => {
      // An answer to the one before says nothing of this one.
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
    const begun = await new Api(undefined).post('/auth/signup', account, login);
    linkSecrets.invitation = undefined;
    this.#begin(begun);
  }

  #begin({ token }: { token: string }): void {
    localStorage.setItem(KEY, token);
    this.expired = false;
    this.#become(token);
  }

  /** The session is over here even if the server cannot be told. */
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
