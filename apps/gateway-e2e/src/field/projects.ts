import { ApiClient } from '@crossfade/test-hosts';

/** An event as people see it. */
interface StoredEvent {
  readonly type: string;
  readonly message: string | null;
  readonly reference_id: string | null;
  readonly data: Readonly<Record<string, unknown>> & {
    readonly '@user_description'?: Readonly<Record<string, unknown>>;
    readonly '@session'?: { readonly is_closed: boolean; readonly last_activity_utc: string };
  };
  readonly [name: string]: unknown;
}

export interface Project {
  readonly id: string;
  /** A project with its token. */
  readonly client: ApiClient;
  readonly token: string;
  /** Newest first. */
  events(): Promise<StoredEvent[]>;
}

/** A project that only one test sends to. */
export async function newProject(url: string, person: ApiClient, organization = 'Acme'): Promise<Project> {
  const organizations = await person.json<{ id: string; name: string }[]>('GET', '/organizations');
  const { id } = await person.json<{ id: string }>('POST', '/projects', {
    organization_id: organizations.find(({ name }) => name === organization)?.id,
    name: 'Of one test',
  });
  const { token } = await person.json<{ token: string }>('POST', `/projects/${id}/tokens`, {});
  return {
    id,
    token,
    client: new ApiClient(url, token),
    events: () => person.json<StoredEvent[]>('GET', `/projects/${id}/events?limit=100`),
  };
}
