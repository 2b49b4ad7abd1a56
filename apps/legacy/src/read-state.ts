/** Above what a `Reader` shows: that it is loading, or why it failed, with a button that tries again. */
export const readState: angular.IComponentOptions = {
  bindings: { what: '@', isLoading: '<', failed: '<', retry: '&' },
  template: `
    <div class="alert alert-danger d-flex align-items-center" role="alert" ng-if="$ctrl.failed">
      <span class="me-auto" ng-bind="$ctrl.failed"></span>
      <button type="button" class="btn btn-sm btn-outline-dark" ng-click="$ctrl.retry()">Try again</button>
    </div>
    <div class="card card-body text-center text-secondary py-5" role="status" ng-if="$ctrl.isLoading && !$ctrl.failed">
      Loading {{ $ctrl.what }}…
    </div>`,
};
