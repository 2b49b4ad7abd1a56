import type { Api, Page, Stack, StackEvent } from './api';
import { Reader } from './reader';

/** One stack with its latest events. */
export class StackController {
  static readonly $inject = ['$scope', 'api', '$routeParams'];
  readonly id: string;
  stack: Stack | undefined;
  events: Page<StackEvent> | undefined;
  failed: string | undefined;
  busy = false;
  readonly #stack = new Reader<Stack>(
    (stack) => {
      this.stack = stack;
      this.failed = undefined;
    },
    (sentence) => (this.failed = sentence),
  );
  readonly #events = new Reader<Page<StackEvent>>(
    (events) => (this.events = events),
    (sentence) => (this.failed = sentence),
  );

  constructor(
    $scope: angular.IScope,
    private readonly api: Api,
    $routeParams: angular.route.IRouteParamsService,
  ) {
    $scope.$on('$destroy', () => {
      this.#stack.drop();
      this.#events.drop();
    });
    // Messages have it in lower case; a link may not.
    this.id = String($routeParams['id']).toLowerCase();
    this.load();
  }

  load(): void {
    this.#stack.read(this.id, () => this.api.stack(this.id));
    this.#events.read(this.id, () => this.api.events(this.id));
  }

  /** Whether an event is about this stack. One without data (a reconnect) is about everything. */
  concerns(data: { id?: string; stack_id?: string } | undefined): boolean {
    return data === undefined || data.id === this.id || data.stack_id === this.id;
  }

  markFixed(): void {
    this.busy = true;
    this.api
      .markFixed(this.id)
      .then(
        () => this.load(),
        (sentence: string) => (this.failed = sentence),
      )
      .finally(() => (this.busy = false));
  }
}
