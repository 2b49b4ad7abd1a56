/**
 * Secrets of links that were opened, in the memory of this page alone. They are in the address's fragment, and are taken
 * out of it before the router reads it: what it has read it keeps in the history.
 */
class LinkSecrets {
  /** Of an invitation, until it is accepted: its owner may have to sign in first, or to make an account. */
  invitation = $state<string>();
  passwordReset = $state<string>();

  constructor() {
    this.#take();
    // Another link in the same page changes the fragment alone.
    addEventListener('popstate', () => this.#take(), { capture: true });
  }

  #take(): void {
    const { pathname, hash } = location;
    if (hash.length < 2) return;
    const secret = hash.slice(1);
    if (pathname.endsWith('/invitation')) this.invitation = secret;
    else if (pathname.endsWith('/reset-password')) this.passwordReset = secret;
    else return;
    history.replaceState(history.state, '', pathname);
  }
}

export const linkSecrets = new LinkSecrets();
