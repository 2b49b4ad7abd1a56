import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogEntry, type CatalogEntry } from '../catalog-entry.js';
import { catalog, type MessageType } from './catalog.js';
import { ChangeType } from './messages.js';

const entity = (over: object = {}) => ({
  type: 'Thing',
  organization_id: 'o',
  change_type: ChangeType.Saved,
  data: {},
  ...over,
});

/** One message of each type, and what the contract says of it. */
const rows: { type: MessageType; message: object; audience: object[]; delivery: string }[] = [
  ...(
    [
      'OrganizationChanged',
      'ProjectChanged',
      'StackChanged',
      'WebHookChanged',
      'SavedViewChanged',
      'PersistentEventChanged',
    ] as const
  ).map((type) => ({
    type,
    message: entity(),
    audience: [{ kind: 'organization', id: 'o' }],
    delivery: 'invalidation',
  })),
  {
    type: 'UserChanged',
    message: entity({ id: 'u' }),
    audience: [{ kind: 'user', id: 'u' }],
    delivery: 'invalidation',
  },
  {
    type: 'TokenChanged',
    message: entity({ id: 't', data: { user_id: 'u' } }),
    audience: [{ kind: 'user', id: 'u' }],
    delivery: 'invalidation',
  },
  {
    type: 'PlanChanged',
    message: { organization_id: 'o' },
    audience: [{ kind: 'organization', id: 'o' }],
    delivery: 'invalidation',
  },
  {
    type: 'PlanOverage',
    message: { organization_id: 'o', is_hourly: true },
    audience: [{ kind: 'organization', id: 'o' }],
    delivery: 'critical',
  },
  {
    type: 'UserMembershipChanged',
    message: { change_type: 2, user_id: 'u', organization_id: 'o' },
    audience: [
      { kind: 'organization', id: 'o' },
      { kind: 'user', id: 'u' },
    ],
    delivery: 'critical',
  },
  {
    type: 'ReleaseNotification',
    message: { critical: true, date: '2026-01-01T00:00:00Z' },
    audience: [{ kind: 'everyone' }],
    delivery: 'critical',
  },
  {
    type: 'SystemNotification',
    message: { date: '2026-01-01T00:00:00Z', level: 'Error' },
    audience: [{ kind: 'everyone' }],
    delivery: 'critical',
  },
];

describe('the catalog', () => {
  it('has exactly the types of the contract', () => {
    expect(Object.keys(catalog).sort()).toEqual(['*Changed', ...rows.map(({ type }) => type)].sort());
  });

  it.each(rows)('$type', ({ type, message, audience, delivery }) => {
    const entry = catalogEntry(type, catalog);
    const read = entry?.schema.parse(message);
    expect(read).toEqual(message);
    expect(entry?.audience(read)).toEqual(audience);
    expect(entry?.delivery).toBe(delivery);
  });

  it('has an effect on connections for memberships and removed tokens only', () => {
    const effects = rows.flatMap(({ type, message }) =>
      [0, 1, 2].map(
        (change_type) =>
          [
            type,
            change_type,
            catalogEntry(type, catalog)?.effect?.({ data: {}, ...message, change_type })?.kind,
          ] as const,
      ),
    );
    expect(effects.filter(([, , kind]) => kind !== undefined)).toEqual([
      ['TokenChanged', 2, 'revocation'],
      ['UserMembershipChanged', 0, 'membership'],
      ['UserMembershipChanged', 2, 'membership'],
    ]);
  });

  it("takes an organization's own id where it names no other", () => {
    const entry = catalog.OrganizationChanged;
    expect(entry.audience({ type: 'Organization', id: 'o', change_type: 1, data: {} })).toEqual([
      { kind: 'organization', id: 'o' },
    ]);
    expect(entry.audience({ type: 'Other', id: 'o', change_type: 1, data: {} })).toEqual([]);
  });

  it.each(['InvoiceChanged', 'A1Changed'])('carries an entity of another program: %s', (type) => {
    expect(catalogEntry(type, catalog)?.delivery).toBe('invalidation');
  });

  it.each([
    'Invoice',
    'invoiceChanged',
    'Changed',
    '__proto__',
    'constructor',
    '*Changed',
    'X-Changed',
    `${'A'.repeat(80)}Changed`,
  ])('does not know %s', (type) => {
    expect(catalogEntry(type, catalog)).toBeUndefined();
  });
});

describe('messages that count as equal', () => {
  const few = fc.constantFrom('a', 'b');
  const maybe = fc.option(few, { nil: undefined });
  const anyEntity = fc.record({
    type: fc.constantFrom('Organization', 'PersistentEvent'),
    id: maybe,
    organization_id: maybe,
    project_id: maybe,
    stack_id: maybe,
    change_type: fc.constantFrom(...Object.values(ChangeType)),
    data: fc.oneof(fc.constant({}), fc.record({ user_id: few })),
  });
  const keyed = (Object.entries(catalog) as [string, CatalogEntry][]).filter(
    ([, row]) => row.key !== undefined,
  );

  it('are for the same people, and so is what they merge into', () => {
    expect(keyed.map(([type]) => type)).toContain('PersistentEventChanged');
    for (const [type, row] of keyed) {
      fc.assert(
        fc.property(anyEntity, anyEntity, (one, other) => {
          fc.pre(row.key?.(one) === row.key?.(other));
          expect(row.audience(other), type).toEqual(row.audience(one));
          if (row.conflate === undefined) return;
          const merged = row.conflate.merge(one, other);
          expect(row.audience(merged), type).toEqual(row.audience(one));
          expect(row.key?.(merged), type).toBe(row.key?.(one));
        }),
        { numRuns: 500 },
      );
    }
  });
});
