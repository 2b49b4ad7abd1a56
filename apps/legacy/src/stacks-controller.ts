import type { Api, Organization, Page, Stack } from './api';

const CHOSEN = 'crossfade.organization';

/** The live list of one organization's stacks. */
export class StacksController {
  static readonly $inject = ['api'];
  organizations: Organization[] | undefined;
  organizationId: string | undefined;
  stacks: Page<Stack> | undefined;
  failed: string | undefined;
  page = 1;
  #loading = 0;

  constructor(private readonly api: Api) {
    this.loadOrganizations();
  }

  loadOrganizations(): void {
    this.failed = undefined;
    this.api.organizations().then(
      (organizations) => {
        this.organizations = organizations;
        const wanted = this.organizationId ?? localStorage.getItem(CHOSEN);
        const [first] = organizations;
        // An organization that was left must not stay chosen.
        const chosen = organizations.find(({ id }) => id === wanted) ?? first;
        if (chosen?.id !== this.organizationId) this.stacks = undefined;
        this.organizationId = chosen?.id;
        this.load();
      },
      (sentence: string) => (this.failed = sentence),
    );
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

  /** Answers that were overtaken by a later question are dropped. */
  load(): void {
    if (this.organizationId === undefined) return;
    const mine = ++this.#loading;
    this.api.stacks(this.organizationId, this.page).then(
      (stacks) => {
        if (mine !== this.#loading) return;
        this.stacks = stacks;
        this.failed = undefined;
      },
      (sentence: string) => {
        if (mine === this.#loading) this.failed = sentence;
      },
    );
  }
}
