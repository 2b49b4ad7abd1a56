import type { Notices } from './notices';

class BannersController {
  static readonly $inject = ['notices'];
  readonly looks = { Info: 'alert-info', Warning: 'alert-warning', Error: 'alert-danger' };
  constructor(readonly notices: Notices) {}
}

/** What everyone is told, above every page. */
export const banners: angular.IComponentOptions = {
  controller: BannersController,
  template: `
    <div class="alert alert-primary rounded-0 mb-0 border-0" data-testid="release-notification"
      role="{{ $ctrl.notices.release.critical ? 'alert' : 'status' }}" ng-if="$ctrl.notices.release">
      <div class="container d-flex flex-wrap align-items-center gap-2">
        <span class="me-auto text-break">
          <strong>A new version is available.</strong>
          <span ng-bind="$ctrl.notices.release.message"></span>
          <span ng-if="$ctrl.notices.release.critical">
            This page reloads in {{ $ctrl.notices.secondsLeft() }} s, or as soon as you leave this tab.
          </span>
        </span>
        <button type="button" class="btn btn-sm btn-primary" ng-click="$ctrl.notices.reload()">Reload now</button>
        <button type="button" class="btn btn-sm btn-outline-dark" ng-if="!$ctrl.notices.release.critical"
          ng-click="$ctrl.notices.dismissRelease()">Later</button>
      </div>
    </div>
    <div class="alert rounded-0 mb-0 border-0" ng-class="$ctrl.looks[$ctrl.notices.system.level]"
      data-testid="system-notification" role="{{ $ctrl.notices.system.level === 'Error' ? 'alert' : 'status' }}"
      ng-if="$ctrl.notices.system">
      <div class="container d-flex flex-wrap align-items-center gap-2">
        <span class="me-auto text-break">
          <strong>{{ $ctrl.notices.system.level }}:</strong> <span ng-bind="$ctrl.notices.system.message"></span>
        </span>
        <button type="button" class="btn btn-sm btn-outline-dark" ng-click="$ctrl.notices.dismiss()">Dismiss</button>
      </div>
    </div>`,
};
