import { createPush, type Publishable } from '@crossfade/push';
import { catalog } from '@crossfade/protocol/catalog';
import { describe, expect, it } from 'vitest';
import { refuseUnpublishable } from './publish-policy.js';

const entity = { type: 'Thing', id: 'u', organization_id: 'o', change_type: 1, data: {} } as const;
const date = '2026-01-01T00:00:00Z';
const { publisher } = createPush({
  catalog,
  authenticator: { authenticate: () => Promise.reject(new Error('nobody connects')) },
});
const publish = (organizationId: string | undefined, message: Publishable<typeof catalog>): void =>
  refuseUnpublishable({ organizationId }, publisher.prepare(message));

/** One message of each type, and whether a service may publish it. */
const rows: [Publishable<typeof catalog>, boolean][] = [
  [{ type: 'OrganizationChanged', message: entity }, true],
  [{ type: 'ProjectChanged', message: entity }, true],
  [{ type: 'StackChanged', message: entity }, true],
  [{ type: 'WebHookChanged', message: entity }, true],
  [{ type: 'SavedViewChanged', message: entity }, true],
  [{ type: 'PersistentEventChanged', message: entity }, true],
  [{ type: 'UserChanged', message: entity }, true],
  [{ type: 'TokenChanged', message: entity }, false],
  [{ type: 'PlanChanged', message: { organization_id: 'o' } }, true],
  [{ type: 'PlanOverage', message: { organization_id: 'o', is_hourly: true } }, true],
  [{ type: 'UserMembershipChanged', message: { change_type: 1, user_id: 'u', organization_id: 'o' } }, false],
  [{ type: 'ReleaseNotification', message: { critical: true, date } }, true],
  [{ type: 'SystemNotification', message: { date } }, true],
  [{ type: 'InvoiceChanged', message: entity }, true],
];

describe('a service', () => {
  it('is told about every type of the catalog', () => {
    const named = rows.map(([{ type }]) => (Object.hasOwn(catalog, type) ? type : '*Changed'));
    expect(named.sort()).toEqual(Object.keys(catalog).sort());
  });

  it.each(rows)('publishes $type or is refused', (message, mayPublish) => {
    const published = expect(() => publish(undefined, message));
    if (mayPublish) published.not.toThrow();
    else published.toThrow('only the gateway itself publishes it');
  });

  it('with a token of an organization publishes to that organization only', () => {
    expect(() => publish('o', { type: 'StackChanged', message: entity })).not.toThrow();
    expect(() => publish('p', { type: 'StackChanged', message: entity })).toThrow('organization p only');
    expect(() => publish('o', { type: 'UserChanged', message: entity })).toThrow('organization o only');
    expect(() => publish('o', { type: 'SystemNotification', message: { date } })).toThrow('is for others');
  });
});
