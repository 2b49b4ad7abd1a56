import type { Api, User } from './api';
import type { Session } from './session';
import type { WebSocketService } from './websocket-service';

/** The bar on top, and what follows from signing in and out. */
export class NavController {
  static readonly $inject = ['$rootScope', '$location', 'api', 'session', 'websocketService'];
  user: User | undefined;

  constructor(
    $rootScope: angular.IRootScopeService,
    private readonly $location: angular.ILocationService,
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

  /** The session is over here even if the server cannot be told. */
  signOut(): void {
    this.api.logout().catch(() => undefined);
    this.session.end(false);
  }

  #follow(): void {
    this.user = undefined;
    if (!this.isSignedIn()) {
      this.websocketService.stop();
      this.$location.path('/login');
      return;
    }
    if (this.$location.path() === '/login') this.$location.path('/');
    this.websocketService.start();
    this.api.me().then(
      (user) => (this.user = user),
      () => undefined,
    );
  }
}
