/** How long a refresh waits after each event, so that a burst causes one. */
const DEBOUNCE_MS = 200;
/** How long a refresh waits at most, so that a burst without end cannot put it off for ever. */
const LONGEST_MS = 800;

interface Attributes extends angular.IAttributes {
  /** The events, separated by spaces. */
  readonly refreshOn: string;
  /** The expression that refreshes. */
  readonly refreshAction: string;
  /** Whether an event causes a refresh. The event's message is `data` in this expression. */
  readonly refreshIf?: string;
}

/** `<div refresh-on="StackChanged WebSocketReconnected" refresh-action="vm.load()" refresh-if="…">` */
export function refreshOn(
  $rootScope: angular.IRootScopeService,
  $timeout: angular.ITimeoutService,
): angular.IDirective<angular.IScope, JQLite, Attributes> {
  return {
    restrict: 'A',
    link(scope, _element, attributes) {
      let timer: angular.IPromise<void> | undefined;
      let firstAt = 0;
      const refresh = (_event: angular.IAngularEvent, data?: unknown): void => {
        if (attributes.refreshIf !== undefined && !scope.$eval(attributes.refreshIf, { data })) return;
        const now = performance.now();
        if (timer === undefined) firstAt = now;
        else $timeout.cancel(timer);
        timer = $timeout(
          () => {
            timer = undefined;
            scope.$eval(attributes.refreshAction);
          },
          Math.min(DEBOUNCE_MS, Math.max(0, firstAt + LONGEST_MS - now)),
        );
      };
      const off = attributes.refreshOn.split(/\s+/).map((name) => $rootScope.$on(name, refresh));
      scope.$on('$destroy', () => {
        for (const stop of off) stop();
        if (timer !== undefined) $timeout.cancel(timer);
      });
    },
  };
}
refreshOn.$inject = ['$rootScope', '$timeout'];
