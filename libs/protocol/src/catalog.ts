import type * as z from 'zod/mini';
import { everyone, organization, user, type Audience } from './audience.js';
import type { Effect } from './effect.js';
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

/** `critical` must arrive; an `invalidation` says "what you hold is stale", and equal ones merge. */
export type DeliveryClass = 'critical' | 'invalidation';

/**
 * One row of a catalog: everything the publisher stamps on a record of this type.
 * The functions get only what `schema` has read; as methods, rows of different messages fit one catalog.
 */
export interface CatalogEntry<Message = unknown> {
  /** Reads a message from outside; what it does not name is dropped. */
  readonly schema: z.ZodMiniType<Message>;
  /** Who may see the message; empty: nobody, it is not sent. */
  audience(message: Message): readonly Audience[];
  readonly delivery: DeliveryClass;
  /**
   * Invalidations of one type with equal keys are equal, and have the same audience. Without it, those with the same
   * payload are.
   */
  key?(message: Message): string;
  /** What goes over the wire, where that is less than what was published. */
  redact?(message: Message): Message;
  /** What the record changes about open connections. */
  effect?(message: Message): Effect | undefined;
  readonly conflate?: Conflation<Message>;
  /** Whether another service may publish it over REST. */
  readonly servicePublishes: boolean;
}

/** The first goes out at once; equal ones within `windowMs` become one at its end, before the log, for the same audience. */
export interface Conflation<Message = unknown> {
  readonly windowMs: number;
  merge(earlier: Message, later: Message): Message;
}

/** Message types by name. A program with messages of its own makes one of these. */
export type Catalog = Readonly<Record<string, CatalogEntry>>;

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
  servicePublishes: true,
});

/** The `data` of a `TokenChanged` names the user whose token it is; a login token has no organization. */
const tokenOwner = (message: EntityChanged): string | undefined =>
  typeof message.data['user_id'] === 'string' ? message.data['user_id'] : undefined;

/** Crossfade's own messages. */
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
      windowMs: 250,
      // Of several events no id is true. An organization's own id stays: it says who may see the message.
      merge: (_earlier, later) => {
        if (later.organization_id === undefined) return later;
        const { id: _id, ...rest } = later;
        return rest;
      },
    },
    servicePublishes: true,
  }),
  UserChanged: entry({
    schema: entityChanged,
    audience: (m) => (m.id === undefined || m.change_type === ChangeType.Added ? [] : [user(m.id)]),
    delivery: 'invalidation',
    servicePublishes: true,
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
    servicePublishes: false,
  }),
  PlanChanged: entry({
    schema: planChanged,
    audience: (m) => [organization(m.organization_id)],
    delivery: 'invalidation',
    servicePublishes: true,
  }),
  PlanOverage: entry({
    schema: planOverage,
    audience: (m) => [organization(m.organization_id)],
    delivery: 'critical',
    servicePublishes: true,
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
    servicePublishes: false,
  }),
  ReleaseNotification: entry({
    schema: releaseNotification,
    audience: () => [everyone],
    delivery: 'critical',
    servicePublishes: true,
  }),
  SystemNotification: entry({
    schema: systemNotification,
    audience: () => [everyone],
    delivery: 'critical',
    servicePublishes: true,
  }),
} as const;

export type MessageType = keyof typeof catalog;
export type MessageOf<Type extends MessageType> = z.infer<(typeof catalog)[Type]['schema']>;

const ENTITY_CHANGED = /^[A-Z][A-Za-z0-9]{0,63}Changed$/;

/** The row of a type: the catalog's, else the one of any entity (`${Type}Changed`), else undefined. */
export function catalogEntry(type: string, of: Catalog = catalog): CatalogEntry | undefined {
  if (Object.hasOwn(of, type)) return of[type];
  return ENTITY_CHANGED.test(type) ? organizationEntity : undefined;
}
