import { everyone, organization, user, type Audience } from '@crossfade/protocol';

/** Names an audience, so that records and connections of the same one meet. */
export type AudienceKey = string;

export const audienceKey = (audience: Audience): AudienceKey =>
  audience.kind === 'everyone' ? audience.kind : `${audience.kind}:${audience.id}`;

export const EVERYONE = audienceKey(everyone);

/** What decides which audiences somebody belongs to. */
export interface Member {
  readonly userId?: string;
  readonly organizationIds: ReadonlySet<string>;
}

/** Every audience that somebody belongs to. The hub's index and replay from the window both go by this list. */
export const audiencesOf = ({ userId, organizationIds }: Member): AudienceKey[] => [
  EVERYONE,
  ...(userId === undefined ? [] : [audienceKey(user(userId))]),
  ...[...organizationIds].map((id) => audienceKey(organization(id))),
];

/** Whether somebody belongs to any of these audiences: whether they may see a record that has them. */
export function isAmong(audiences: readonly Audience[], member: Member): boolean {
  const theirs = new Set(audiencesOf(member));
  return audiences.some((audience) => theirs.has(audienceKey(audience)));
}
