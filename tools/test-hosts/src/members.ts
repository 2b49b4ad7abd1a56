import type { ApiClient } from './api-client.ts';

/** The response to a member who invites an address. */
export interface NewInvitation {
  readonly id: string;
  readonly email_address: string;
  readonly link: string;
}

/** A link's secret: its fragment. */
export const secretOf = (link: string): string => link.slice(link.indexOf('#') + 1);

export const invite = (by: ApiClient, organizationId: string, email: string): Promise<NewInvitation> =>
  by.json('POST', `/organizations/${organizationId}/users/${encodeURIComponent(email)}`);

/** Makes an account a member as people do: one invites, the other accepts with the link. */
export async function makeMember(
  by: ApiClient,
  organizationId: string,
  { email, as }: { email: string; as: ApiClient },
): Promise<void> {
  const { link } = await invite(by, organizationId, email);
  await as.json('POST', '/invitations/accept', { secret: secretOf(link) });
}
