import type { Api, Organization, Page, Stack } from './api';
import { Reader } from './reader';

const CHOSEN = 'crossfade.organization';

/** The live list of one organization's stacks. */
export class StacksController {
  static readonly $inject = ['$scope', 'api'];
  organizations: Organization[] | undefined;
  organizationId: string | undefined;
  stacks: Page<Stack> | undefined;
  failed: string | undefined;
  page = 1;
  readonly #organizations = new Reader<Organization[]>(
    (organizations) => this.#show(organizations),
    (sentence) => (this.failed = sentence),
  );
  readonly #stacks = new Reader<Page<Stack>>(
    (stacks) => {
      this.stacks = stacks;
      this.failed = undefined;
    },
    (sentence) => (this.failed = sentence),
  );

  constructor(
    $scope: angular.IScope,
    private readonly api: Api,
  ) {
    $scope.$on('$destroy', () => {
      this.#organizations.drop();
      this.#stacks.drop();
    });
    this.loadOrganizations();
  }

  loadOrganizations(): void {
    this.failed = undefined;
    this.#organizations.read('organizations', () => this.api.organizations());
  }

  #show(organizations: Organization[]): void {
    this.organizations = organizations;
    const wanted = this.organizationId ?? localStorage.getItem(CHOSEN);
    const [first] = organizations;
    // An organization that the user has left must not stay chosen.
    const chosen = organizations.find(({ id }) => id === wanted) ?? first;
    if (chosen?.id !== this.organizationId) this.stacks = undefined;
    this.organizationId = chosen?.id;
    this.load();
  }

  choose(): void {
    if (this.organizationId !== undefined) localStorage.setItem(CHOSEN, this.organizationId);
    this.stacks = undefined;
    this.turnTo(1);
  }

  turnTo(page: number): void {
    this.page = page;
    this.load();
  }

  load(): void {
    const { organizationId: id, page } = this;
    if (id === undefined) return this.#stacks.drop();
    this.#stacks.read(`${id} ${page}`, () => this.api.stacks(id, page));
  }
}
