import type { Audience, Envelope } from '@crossfade/protocol';
import type { Prepared } from '@crossfade/push';
import { inArray } from 'drizzle-orm';
import type { Queries } from '../database/database.js';
import { users } from '../database/schema/accounts.js';
import { organizations } from '../database/schema/organizations.js';
import type { Fault } from '../http/problem.js';
import { uuid } from '../http/schemas.js';

type Named = Exclude<Audience['kind'], 'everyone'>;

/** Finds messages that would reach nobody. A service that misspells an audience would not notice otherwise. */
export async function faultsOfRecipients(
  queries: Queries,
  messages: readonly { readonly path: string; readonly prepared: Prepared }[],
): Promise<readonly Fault[]> {
  const audiences = messages.flatMap(({ prepared: { stamped } }) => stamped?.audience ?? []);
  const there: Readonly<Record<Named, ReadonlySet<string>>> = {
    organization: await existing(queries, organizations, idsOf(audiences, 'organization')),
    user: await existing(queries, users, idsOf(audiences, 'user')),
  };
  return messages.flatMap(({ path, prepared: { envelope, stamped } }): Fault[] => {
    const audience = stamped?.audience ?? [];
    if (audience.length === 0) return [{ path, message: unaddressed(envelope) }];
    return audience.flatMap((one) =>
      one.kind === 'everyone' || there[one.kind].has(one.id)
        ? []
        : [{ path: `${path}.${nameOf(envelope, one.id)}`, message: unknown[one.kind] }],
    );
  });
}

const unknown: Readonly<Record<Named, string>> = {
  organization: 'is not the id of an organization, so the message would reach nobody',
  user: 'is not the id of a user, so the message would reach nobody',
};

/** The fault of a valid message without an audience: the fields that name one are optional, and unknown fields are ignored. */
const unaddressed = ({ type }: Envelope): string =>
  type === 'UserChanged'
    ? 'reaches nobody: its id names the user it is for, and an addition is for nobody'
    : 'reaches nobody: its organization_id names the organization it is for';

/** The field of the message that holds the id. */
function nameOf({ message }: Envelope, id: string): string {
  const found = Object.entries(message as Record<string, unknown>).find(([, value]) => value === id);
  return found?.[0] ?? '';
}

const idsOf = (audiences: readonly Audience[], kind: Named): string[] => [
  ...new Set(
    audiences.flatMap((one) => (one.kind === kind && uuid.safeParse(one.id).success ? [one.id] : [])),
  ),
];

async function existing(
  queries: Queries,
  table: typeof organizations | typeof users,
  ids: string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const rows = await queries.select({ id: table.id }).from(table).where(inArray(table.id, ids));
  return new Set(rows.map(({ id }) => id));
}
