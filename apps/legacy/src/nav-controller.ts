import type { Api, User } from './api';
import { Reader } from './reader';
import type { Session } from './session';
import type { WebSocketService } from './websocket-service';

/** The bar at the top, and what happens on signing in and out. */
export class NavController {
  static readonly $inject = ['$rootScope', '$location', '$route', 'api', 'session', 'websocketService'];
  user: User | undefined;
  #token: string | undefined;
  readonly #user = new Reader<User>((user) => (this.user = user));

  constructor(
    $rootScope: angular.IRootScopeService,
    private readonly $location: angular.ILocationService,
    private readonly $route: angular.route.IRouteService,
    private readonly api: Api,
    private readonly session: Session,
    private readonly websocketService: WebSocketService,
  ) {
    $rootScope.$on('SessionChanged', () => this.#follow());
    this.#follow();
  }

  isSignedIn(): boolean {
    return this.session.token !== undefined;
  }

  /** Ends the session here even if the server cannot be reached. */
  signOut(): void {
    this.api.logout().catch(() => undefined);
    this.session.end(false);
  }

  #follow(): void {
    const before = this.#token;
    const { token } = this.session;
    this.#token = token;
    this.user = undefined;
    this.#user.drop();
    this.websocketService.stop();
    if (token === undefined) {
      this.$location.path('/login');
      return;
    }
    if (this.$location.path() === '/login') this.$location.path('/');
    // Another tab signed in as somebody else, who must not see the former account's data.
    else if (before !== undefined) this.$route.reload();
    this.websocketService.start();
    this.#user.read(token, () => this.api.me());
  }
}
