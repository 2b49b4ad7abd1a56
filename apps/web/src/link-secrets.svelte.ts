/**
 * The secrets of links that were opened, in the memory of this page alone. They come in the address's fragment, and are
 * removed from it before the router reads it, since the router keeps each address in the history.
 */
class LinkSecrets {
  /** Of an invitation, until it is accepted: the user may have to sign in first, or to create an account. */
  invitation = $state<string>();
  passwordReset = $state<string>();

  constructor() {
    this.#take();
    // Another link to the same page changes only the fragment.
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
