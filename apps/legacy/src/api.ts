import type { Session } from './session';

export interface Stack {
  id: string;
  project_id: string;
  type: string;
  status: 'open' | 'fixed' | 'regressed' | 'snoozed' | 'ignored' | 'discarded';
  title: string;
  total_occurrences: number;
  first_occurrence: string;
  last_occurrence: string;
  tags: string[];
}

export interface StackEvent {
  id: string;
  type: string;
  message: string | null;
  date: string;
  data: Record<string, unknown>;
}

interface PeriodUsage {
  total: number;
  limit: number | null;
  dropped: number;
}

export interface Organization {
  id: string;
  name: string;
  plan_id: string;
  usage: { month: PeriodUsage; hour: PeriodUsage };
  is_over_monthly_limit: boolean;
  is_over_hourly_limit: boolean;
}

export interface SystemNotification {
  date: string;
  message: string;
  level: 'Error' | 'Info' | 'Warning';
  target: 'Both' | 'Legacy' | 'Modern';
}

export interface User {
  full_name: string;
  email_address: string;
}

export interface Page<Item> {
  items: Item[];
  hasNext: boolean;
}

/** How long a GET waits for its response: longer than the server takes, shorter than a lost connection takes to fail. */
const RESPONSE_MS = 30_000;

/** The REST API. Every rejection is one sentence to show. */
export class Api {
  static readonly $inject = ['$http', '$q', 'session'];

  constructor(
    private readonly $http: angular.IHttpService,
    private readonly $q: angular.IQService,
    private readonly session: Session,
  ) {}

  login(email: string, password: string): angular.IPromise<{ token: string }> {
    return this.#call<{ token: string }>('POST', '/auth/login', { email, password }).then(({ data }) => data);
  }

  logout(): angular.IPromise<void> {
    return this.#call('POST', '/auth/logout').then(() => undefined);
  }

  me(): angular.IPromise<User> {
    return this.#call<User>('GET', '/users/me').then(({ data }) => data);
  }

  organizations(): angular.IPromise<Organization[]> {
    return this.#call<Organization[]>('GET', '/organizations?limit=100').then(({ data }) => data);
  }

  organization(id: string): angular.IPromise<Organization> {
    return this.#call<Organization>('GET', `/organizations/${id}`).then(({ data }) => data);
  }

  hasProject(organizationId: string): angular.IPromise<boolean> {
    return this.#call<unknown[]>('GET', `/organizations/${organizationId}/projects?limit=1`).then(
      ({ data }) => data.length > 0,
    );
  }

  /** The one that is shown to everyone, if any. */
  systemNotification(): angular.IPromise<SystemNotification | undefined> {
    return this.#call<SystemNotification>('GET', '/notifications/system').then(({ data, status }) =>
      status === 204 ? undefined : data,
    );
  }

  stacks(organizationId: string, page: number): angular.IPromise<Page<Stack>> {
    return this.#page(`/organizations/${organizationId}/stacks?limit=25&page=${page}`);
  }

  stack(id: string): angular.IPromise<Stack> {
    return this.#call<Stack>('GET', `/stacks/${encodeURIComponent(id)}`).then(({ data }) => data);
  }

  events(stackId: string): angular.IPromise<Page<StackEvent>> {
    return this.#page(`/stacks/${encodeURIComponent(stackId)}/events?limit=10`);
  }

  markFixed(stackId: string): angular.IPromise<void> {
    return this.#call('POST', `/stacks/${encodeURIComponent(stackId)}/mark-fixed`).then(() => undefined);
  }

  #page<Item>(path: string): angular.IPromise<Page<Item>> {
    return this.#call<Item[]>('GET', path).then(({ data, headers }) => ({
      items: data,
      hasNext: (headers('link') ?? '').includes('rel="next"'),
    }));
  }

  #call<Body>(method: string, path: string, data?: unknown): angular.IPromise<angular.IHttpResponse<Body>> {
    const { token } = this.session;
    return this.$http<Body>({
      method,
      url: `/api/v2${path}`,
      data,
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      ...(method === 'GET' ? { timeout: RESPONSE_MS } : {}),
    }).catch((response: angular.IHttpResponse<{ detail?: string } | null>) => {
      // A late response to a former token says nothing about this session.
      if (response.status === 401 && token === this.session.token) this.session.end(true);
      const sentence = response.status <= 0 ? 'The server cannot be reached.' : response.data?.detail;
      return this.$q.reject(sentence ?? `The server answered ${response.status}.`);
    });
  }
}
