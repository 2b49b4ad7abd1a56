import type { Api, Organization } from './api';
import { Reader } from './reader';

/** What a member should know about an organization: it is over its limit, has no project, or is on the free plan. */
class OrganizationNoticesController {
  static readonly $inject = ['$scope', '$interval', 'api'];
  organization: Organization | undefined;
  hasNoProject = false;
  #id: string | undefined;
  readonly #organization = new Reader<Organization>(
    (organization) => (this.organization = organization),
    () => (this.organization = undefined),
  );
  readonly #hasProject = new Reader<boolean>((has) => (this.hasNoProject = !has));

  constructor(
    $scope: angular.IScope,
    $interval: angular.IIntervalService,
    private readonly api: Api,
  ) {
    // A limit ends with its period, and no message says so.
    const again = $interval(() => this.isOver && this.load(), 60_000);
    $scope.$on('$destroy', () => {
      $interval.cancel(again);
      this.#drop();
    });
  }

  set organizationId(id: string | undefined) {
    if (id === this.#id) return;
    this.#id = id;
    this.organization = undefined;
    this.#drop();
    this.load();
  }

  /** Whether an event is about this organization. One without data (a reconnect) is about everything. */
  concerns(data: { organization_id?: string; id?: string } | undefined): boolean {
    return data === undefined || data.organization_id === this.#id || data.id === this.#id;
  }

  get isOver(): boolean {
    return this.organization?.is_over_monthly_limit || this.organization?.is_over_hourly_limit || false;
  }

  get period(): 'month' | 'hour' {
    return this.organization?.is_over_monthly_limit ? 'month' : 'hour';
  }

  load(): void {
    const id = this.#id;
    if (id === undefined) return;
    this.#organization.read(id, () => this.api.organization(id));
    this.#hasProject.read(id, () => this.api.hasProject(id));
  }

  #drop(): void {
    this.#organization.drop();
    this.#hasProject.drop();
  }
}

export const organizationNotices: angular.IComponentOptions = {
  controller: OrganizationNoticesController,
  bindings: { organizationId: '<' },
  template: `
    <div refresh-on="PlanChanged PlanOverage OrganizationChanged ProjectChanged PersistentEventChanged WebSocketReconnected"
      refresh-action="$ctrl.load()" refresh-if="$ctrl.concerns(data)"></div>
    <div class="alert alert-danger py-2" role="status" data-testid="over-limit" ng-if="$ctrl.isOver">
      <strong><span ng-bind="$ctrl.organization.name"></span> is over its {{ $ctrl.period === 'month' ? 'monthly' : 'hourly' }} limit</strong>
      of {{ $ctrl.organization.usage[$ctrl.period].limit | number }} events:
      {{ $ctrl.organization.usage[$ctrl.period].dropped | number }}
      {{ $ctrl.organization.usage[$ctrl.period].dropped === 1 ? 'was' : 'were' }} dropped; further events are dropped until the
      {{ $ctrl.period }} ends. <a ng-href="/next/organizations/{{ $ctrl.organization.id }}">Change the plan</a>
    </div>
    <div class="alert alert-info py-2" role="status" data-testid="no-projects" ng-if="$ctrl.organization && $ctrl.hasNoProject">
      <span ng-bind="$ctrl.organization.name"></span> has no project yet.
      <a ng-href="/next/organizations/{{ $ctrl.organization.id }}">Create one</a> to get a token for your program.
    </div>
    <div class="alert alert-secondary py-2" role="status" data-testid="free-plan" ng-if="$ctrl.organization.plan_id === 'free'">
      <span ng-bind="$ctrl.organization.name"></span> is on the free plan:
      {{ $ctrl.organization.usage.month.total | number }} of {{ $ctrl.organization.usage.month.limit | number }} events
      this month<span ng-if="$ctrl.organization.usage.month.dropped">, {{ $ctrl.organization.usage.month.dropped | number }} dropped</span>.
    </div>`,
};
