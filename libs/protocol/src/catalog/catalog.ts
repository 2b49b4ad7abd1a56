import type * as z from 'zod/mini';
import { everyone, organization, user, type Audience } from '../audience.js';
import type { CatalogEntry } from '../catalog-entry.js';
import {
  ChangeType,
  entityChanged,
  planChanged,
  planOverage,
  releaseNotification,
  systemNotification,
  userMembershipChanged,
  type EntityChanged,
} from './messages.js';

const entry = <Message>(row: CatalogEntry<Message>): CatalogEntry<Message> => row;

/** An organization may be named by its own id. */
const organizationIdOf = (message: EntityChanged): string | undefined =>
  message.organization_id ?? (message.type === 'Organization' ? message.id : undefined);

const organizationOf = (message: EntityChanged): readonly Audience[] => {
  const id = organizationIdOf(message);
  return id === undefined ? [] : [organization(id)];
};

const organizationEntity = entry({
  schema: entityChanged,
  audience: organizationOf,
  delivery: 'invalidation',
});

/** The `data` of a `TokenChanged` names the user whose token it is; a login token has no organization. */
const tokenOwner = (message: EntityChanged): string | undefined =>
  typeof message.data['user_id'] === 'string' ? message.data['user_id'] : undefined;

/** Crossfade's own messages, and the entities of other services. */
export const catalog = {
  OrganizationChanged: organizationEntity,
  ProjectChanged: organizationEntity,
  StackChanged: organizationEntity,
  WebHookChanged: organizationEntity,
  SavedViewChanged: organizationEntity,
  PersistentEventChanged: entry({
    schema: entityChanged,
    audience: organizationOf,
    delivery: 'invalidation',
    key: (m) => JSON.stringify([organizationIdOf(m), m.project_id, m.stack_id, m.change_type]),
    conflate: {
      intervalMs: 250,
      // Of several events no id is true. An organization's own id stays: it says who may see the message.
      merge: (_earlier, later) => {
        if (later.organization_id === undefined) return later;
        const { id: _id, ...rest } = later;
        return rest;
      },
    },
  }),
  UserChanged: entry({
    schema: entityChanged,
    audience: (m) => (m.id === undefined || m.change_type === ChangeType.Added ? [] : [user(m.id)]),
    delivery: 'invalidation',
  }),
  TokenChanged: entry({
    schema: entityChanged,
    audience: (m) => {
      const owner = tokenOwner(m);
      return owner === undefined ? organizationOf(m) : [user(owner)];
    },
    delivery: 'invalidation',
    redact: (m) => (tokenOwner(m) === undefined ? { ...m, data: {} } : m),
    effect: (m) =>
      m.change_type === ChangeType.Removed && m.id !== undefined
        ? { kind: 'revocation', token_id: m.id }
        : undefined,
  }),
  PlanChanged: entry({
    schema: planChanged,
    audience: (m) => [organization(m.organization_id)],
    delivery: 'invalidation',
  }),
  PlanOverage: entry({
    schema: planOverage,
    audience: (m) => [organization(m.organization_id)],
    delivery: 'critical',
  }),
  UserMembershipChanged: entry({
    schema: userMembershipChanged,
    audience: (m) => [organization(m.organization_id), user(m.user_id)],
    delivery: 'critical',
    effect: (m) =>
      m.change_type === ChangeType.Saved
        ? undefined
        : {
            kind: 'membership',
            change: m.change_type === ChangeType.Added ? 'added' : 'removed',
            user_id: m.user_id,
            organization_id: m.organization_id,
          },
  }),
  ReleaseNotification: entry({
    schema: releaseNotification,
    audience: () => [everyone],
    delivery: 'critical',
  }),
  SystemNotification: entry({
    schema: systemNotification,
    audience: () => [everyone],
    delivery: 'critical',
  }),
  /** Any other entity: another service may make up types for its own. */
  '*Changed': organizationEntity,
} as const;

/** The types that have a row of their own. */
export type MessageType = Exclude<keyof typeof catalog, `*${string}`>;
export type MessageOf<Type extends MessageType> = z.infer<(typeof catalog)[Type]['schema']>;
