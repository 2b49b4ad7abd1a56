import angular from 'angular';
import 'angular/angular-csp.css';
import 'angular-route';
import 'bootstrap/dist/css/bootstrap.min.css';
import './contrast.css';
import { agoFilter } from './ago';
import { Api } from './api';
import { banners } from './banners';
import { connectionState } from './connection-state';
import { LoginController } from './login-controller';
import login from './login.html?raw';
import { NavController } from './nav-controller';
import { Notices } from './notices';
import { organizationNotices } from './organization-notices';
import { readState } from './read-state';
import { refreshOn } from './refresh-on';
import { Session } from './session';
import { StackController } from './stack-controller';
import stack from './stack.html?raw';
import { StacksController } from './stacks-controller';
import stacks from './stacks.html?raw';
import { WebSocketService } from './websocket-service';

routes.$inject = ['$routeProvider'];
function routes($routeProvider: angular.route.IRouteProvider): void {
  $routeProvider
    .when('/login', { template: login, controller: LoginController, controllerAs: 'vm' })
    .when('/', { template: stacks, controller: StacksController, controllerAs: 'vm' })
    .when('/stacks/:id', { template: stack, controller: StackController, controllerAs: 'vm' })
    .otherwise('/');
}

/** Redirects to the login page without a session, and keeps "5 minutes ago" up to date. */
run.$inject = ['$rootScope', '$location', '$interval', 'session'];
function run(
  $rootScope: angular.IRootScopeService,
  $location: angular.ILocationService,
  $interval: angular.IIntervalService,
  session: Session,
): void {
  $rootScope.$on('$routeChangeStart', (event) => {
    const isLogin = $location.path() === '/login';
    if (isLogin === (session.token === undefined)) return;
    event.preventDefault();
    $location.path(isLogin ? '/' : '/login');
  });
  $interval(() => undefined, 1000);
}

angular
  .module('crossfade', ['ngRoute'])
  .config(routes)
  .service('session', Session)
  .service('api', Api)
  .service('websocketService', WebSocketService)
  .service('notices', Notices)
  .controller('NavController', NavController)
  .component('connectionState', connectionState)
  .component('banners', banners)
  .component('readState', readState)
  .component('organizationNotices', organizationNotices)
  .directive('refreshOn', refreshOn)
  .filter('ago', agoFilter)
  .run(run);

angular.element(document).ready(() => angular.bootstrap(document, ['crossfade'], { strictDi: true }));
