const KEY = 'crossfade.token';

/** Who is signed in, in all tabs of this browser and in both apps. */
export class Session {
  static readonly $inject = ['$rootScope'];
  token: string | undefined;
  /** Whether it ended without the user signing out. */
  expired = false;

  constructor(private readonly $rootScope: angular.IRootScopeService) {
    this.token = localStorage.getItem(KEY) ?? undefined;
    addEventListener('storage', ({ key, newValue }) => {
      if (key === KEY) $rootScope.$evalAsync(() => this.#change(newValue ?? undefined));
    });
  }

  begin(token: string): void {
    localStorage.setItem(KEY, token);
    this.expired = false;
    this.#change(token);
  }

  end(expired: boolean): void {
    if (this.token === undefined) return;
    localStorage.removeItem(KEY);
    this.expired = expired;
    this.#change(undefined);
  }

  #change(token: string | undefined): void {
    this.token = token;
    this.$rootScope.$emit('SessionChanged');
  }
}
