import type { Api, Page, Stack, StackEvent } from './api';

/** One stack with its latest events. */
export class StackController {
  static readonly $inject = ['api', '$routeParams'];
  readonly id: string;
  stack: Stack | undefined;
  events: Page<StackEvent> | undefined;
  failed: string | undefined;
  busy = false;

  constructor(
    private readonly api: Api,
    $routeParams: angular.route.IRouteParamsService,
  ) {
    // As messages write it, whoever made the link.
    this.id = String($routeParams['id']).toLowerCase();
    this.load();
  }

  load(): void {
    this.api.stack(this.id).then(
      (stack) => {
        this.stack = stack;
        this.failed = undefined;
      },
      (sentence: string) => (this.failed = sentence),
    );
    this.api.events(this.id).then(
      (events) => (this.events = events),
      (sentence: string) => (this.failed = sentence),
    );
  }

  /** Whether a message is about this stack; one without an id (after a reconnect) is about everything. */
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
