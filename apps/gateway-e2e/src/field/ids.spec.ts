import { SseProbe, type Probe } from '@crossfade/protocol/testing';
import { ApiClient } from '@crossfade/test-hosts';
import { beforeAll, describe, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { exercises } from '../exercises.ts';
import { operationsOf, type Asked, type Operation } from '../operations.ts';
import { transports } from '../transports.ts';
import { makeWorld, type World } from '../world.ts';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const inCapitals = (text: string) => text.replace(UUID, (id) => id.toUpperCase());
/** A request with all its ids in capitals, except for the route's own path. */
function capitals({ as, path = {}, query = {}, body, headers = {} }: Asked): Asked {
  const rewrite = <T>(value: T): T => JSON.parse(inCapitals(JSON.stringify(value))) as T;
  return {
    as,
    path: rewrite(path),
    query: rewrite(query),
    headers,
    ...(body === undefined ? {} : { body: rewrite(body) }),
  };
}

/** A message of a service that would reach nobody, and the response to it. */
interface Unheard {
  readonly what: string;
  readonly message: (world: World) => { readonly type: string; readonly message: object };
  readonly path: string;
  readonly says: string;
}
const stack = { type: 'Stack', id: crypto.randomUUID(), change_type: 1 };
const NO_ORGANIZATION = 'is not the id of an organization, so the message would reach nobody';
const NO_USER = 'is not the id of a user, so the message would reach nobody';
const UNADDRESSED = 'reaches nobody: its organization_id names the organization it is for';
const overage = (organization_id: string) => () => ({
  type: 'PlanOverage',
  message: { organization_id, is_hourly: false },
});
const entity = (type: string, message: object) => () => ({ type, message });
const unheard: readonly Unheard[] = [
  ...['not an id', '', ' ', 'null', 'undefined', '1', '*', '%', '\0', "' OR 1=1", crypto.randomUUID()].map(
    (id): Unheard => ({
      what: `PlanOverage of ${JSON.stringify(id)}`,
      message: overage(id),
      path: 'message.organization_id',
      says: NO_ORGANIZATION,
    }),
  ),
  {
    what: 'an id in braces',
    message: ({ own }) => overage(`{${own.organizations}}`)(),
    path: 'message.organization_id',
    says: NO_ORGANIZATION,
  },
  {
    what: 'an id without hyphens',
    message: ({ own }) => overage(own.organizations.replaceAll('-', ''))(),
    path: 'message.organization_id',
    says: NO_ORGANIZATION,
  },
  {
    what: 'an id with a space behind it',
    message: ({ own }) => overage(`${own.organizations} `)(),
    path: 'message.organization_id',
    says: NO_ORGANIZATION,
  },
  {
    what: "a project's id instead of an organization's",
    message: ({ own }) => overage(own.projects)(),
    path: 'message.organization_id',
    says: NO_ORGANIZATION,
  },
  {
    what: 'the plan of an unknown organization',
    message: entity('PlanChanged', { organization_id: crypto.randomUUID() }),
    path: 'message.organization_id',
    says: NO_ORGANIZATION,
  },
  {
    what: 'a misspelt organizationId',
    message: ({ own }) => ({
      type: 'StackChanged',
      message: { ...stack, organizationId: own.organizations },
    }),
    path: 'message',
    says: UNADDRESSED,
  },
  {
    what: 'an organization_id inside data',
    message: ({ own }) => ({
      type: 'StackChanged',
      message: { ...stack, data: { organization_id: own.organizations } },
    }),
    path: 'message',
    says: UNADDRESSED,
  },
  {
    what: 'an entity outside the catalog, of nobody',
    message: entity('InvoiceChanged', { ...stack, type: 'Invoice' }),
    path: 'message',
    says: UNADDRESSED,
  },
  {
    what: 'an event of an unknown organization',
    message: entity('PersistentEventChanged', { ...stack, organization_id: crypto.randomUUID() }),
    path: 'message.organization_id',
    says: NO_ORGANIZATION,
  },
  {
    what: 'an organization by an id that is none',
    message: entity('OrganizationChanged', { type: 'Organization', id: 'acme', change_type: 1 }),
    path: 'message.id',
    says: NO_ORGANIZATION,
  },
  {
    what: 'a user that is not there',
    message: entity('UserChanged', { type: 'User', id: crypto.randomUUID(), change_type: 1 }),
    path: 'message.id',
    says: NO_USER,
  },
  {
    what: 'a user by the address',
    message: entity('UserChanged', { type: 'User', id: 'member@crossfade.test', change_type: 1 }),
    path: 'message.id',
    says: NO_USER,
  },
  {
    what: 'a user without an id',
    message: entity('UserChanged', { type: 'User', change_type: 1 }),
    path: 'message',
    says: 'reaches nobody: its id names the user it is for, and an addition is for nobody',
  },
];

onEachDatabase('ids', { API_THROTTLE_PER_MINUTE: '0', ENABLE_SIGNUP: 'true' }, (gateway) => {
  let world: World;
  let operations: Operation[];
  beforeAll(async () => {
    world = await makeWorld(gateway());
    ({ operations } = await operationsOf(gateway().url));
  });

  describe('in capitals mean the same row', () => {
    it('on every route that takes one', async () => {
      let tried = 0;
      for (const operation of operations) {
        const exercise = exercises[operation.name];
        if (exercise === undefined) continue;
        const good = await exercise.good(world);
        const said = JSON.stringify([good.path, good.query, good.body]);
        if (inCapitals(said) === said) continue;
        const asked = capitals(good);
        tried += 1;
        const { status, text } = await operation.call(asked);
        expect(status, `${operation.name}: ${text}`).toBe(exercise.is);
        expect(text, operation.name).toBe(
          text.replace(/[0-9A-F]{8}-[0-9A-F]{4}-/g, (id) => id.toLowerCase()),
        );
      }
      expect(tried).toBeGreaterThan(25);
    });

    it('and reads return the same data', async () => {
      const { organizations, projects, stacks, events } = world.own;
      for (const path of [
        `/organizations/${organizations}`,
        `/organizations/${organizations}/projects`,
        `/organizations/${organizations}/stacks`,
        `/projects/${projects}`,
        `/projects/${projects}/stacks`,
        `/stacks/${stacks}`,
        `/stacks/${stacks}/events`,
        `/events/${events}`,
      ])
        expect(await world.member.json('GET', inCapitals(path)), path).toEqual(
          await world.member.json('GET', path),
        );
    });

    it('and foreign ones stay foreign', async () => {
      const { organizations, projects, stacks, events } = world.foreign;
      for (const path of [
        `/organizations/${organizations}`,
        `/organizations/${organizations}/stacks`,
        `/projects/${projects}`,
        `/stacks/${stacks}`,
        `/events/${events}`,
      ])
        expect((await world.member.call('GET', inCapitals(path))).status, path).toBe(404);
      expect(
        (await world.client.call('POST', inCapitals(`/projects/${projects}/events`), { message: 'm' }))
          .status,
      ).toBe(403);
    });

    it("for a project's own token", async () => {
      const path = `/projects/${world.own.projects}/events`;
      for (const as of [path, inCapitals(path)])
        expect((await world.client.call('POST', as, { message: 'by its token' })).status).toBe(202);
    });

    it('among several: an id that is named twice counts once', async () => {
      const one = await world.stack();
      const other = await world.stack();
      const ids = [
        one,
        one.toUpperCase(),
        other,
        inCapitals(one).replace(/^./, (first) => first.toLowerCase()),
      ];
      expect((await world.member.call('POST', `/stacks/${ids.join(',')}/mark-fixed`)).status).toBe(200);
      for (const id of [one, other])
        expect(await world.member.json('GET', `/stacks/${id}`)).toMatchObject({ status: 'fixed' });
      const many = Array.from({ length: 150 }, () => one).join(',');
      expect((await world.member.call('POST', `/stacks/${many}/mark-fixed`)).status).toBe(200);
      expect((await world.member.call('DELETE', `/stacks/${ids.join(',')}`)).status).toBe(204);
    });

    it("where one's own is refused", async () => {
      const { id } = await world.admin.json<{ id: string }>('GET', '/users/me');
      expect((await world.admin.call('POST', `/users/${id.toUpperCase()}/lock`)).status).toBe(409);
    });

    it('for a stream that replaces another', async () => {
      const { token } = await world.member.json<{ token: string }>(
        'POST',
        `/projects/${world.own.projects}/tokens`,
        {
          scopes: ['push:subscribe'],
        },
      );
      const open: SseProbe[] = [];
      for (let count = 0; count < 10; count += 1) open.push(await SseProbe.open(gateway().url, { token }));
      const { message } = (await open[0]?.message('Connected')) ?? {};
      const replaces = (message as { connection_id: string }).connection_id.toUpperCase();
      const next = await SseProbe.open(gateway().url, { token, query: { replaces } });
      expect(next.response.status).toBe(200);
      for (const probe of [...open, next]) probe.close();
    });
  });

  describe('that a service publishes to', () => {
    const publish = (body: unknown, as = world.service) => as.call('POST', '/push/messages', body);

    /** Streams of a member on both transports, and everything that they get until a last message. */
    async function heard(act: () => Promise<void>): Promise<{ type: string; message: unknown }[][]> {
      const probes: Probe[] = await Promise.all(
        transports.map((transport) => transport.open(gateway().url, { token: world.member.token })),
      );
      for (const probe of probes) await probe.message('Connected');
      await act();
      const last = crypto.randomUUID();
      await publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: last } });
      for (const probe of probes)
        await probe.message('SystemNotification', ({ message }) => message === last);
      return probes.map((probe) => {
        probe.close();
        return (
          probe.received
            // The message about an event may come a moment later.
            .filter(
              ({ type }) => !['Connected', 'SystemNotification', 'PersistentEventChanged'].includes(type),
            )
            .map(({ type, message }) => ({ type, message }))
        );
      });
    }

    it.each(unheard)('reach an audience, or are refused: $what', async ({ message, path, says }) => {
      const one = message(world);
      const response = await publish(one);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        detail: `${path}: ${says}`,
        errors: [{ path, message: says }],
      });
      const good = { type: 'PlanChanged', message: { organization_id: world.own.organizations } };
      const inList = await publish([good, one]);
      expect(inList.status).toBe(400);
      expect(await inList.json()).toMatchObject({ errors: [{ path: `1.${path}`, message: says }] });
    });

    it('are all or nothing, and a refused request may come again under its key', async () => {
      const headers = { 'Idempotency-Key': crypto.randomUUID() };
      const good = { type: 'PlanChanged', message: { organization_id: world.own.organizations } };
      const all = await heard(async () => {
        expect(
          (await world.service.call('POST', '/push/messages', [good, overage('acme')()], headers)).status,
        ).toBe(400);
        expect((await world.service.call('POST', '/push/messages', [good], headers)).status).toBe(202);
      });
      for (const messages of all) expect(messages).toEqual([good]);
    });

    it('are the same in capitals: the message arrives, with the ids that clients know', async () => {
      const { organizations, projects, stacks } = world.own;
      const message = {
        type: 'Stack',
        id: stacks,
        organization_id: organizations,
        project_id: projects,
        change_type: 1,
        // Not readable by this member.
        data: { note: inCapitals(stacks) },
      };
      const sent = [
        { type: 'StackChanged', message },
        { type: 'PlanOverage', message: { organization_id: organizations, is_hourly: true } },
        {
          type: 'OrganizationChanged',
          message: { type: 'Organization', id: organizations, change_type: 1, data: {} },
        },
      ];
      const all = await heard(async () => {
        const shouted = JSON.parse(inCapitals(JSON.stringify(sent))) as unknown;
        expect((await publish(shouted)).status).toBe(202);
      });
      for (const messages of all) expect(messages).toEqual(sent);
      const { id } = await world.member.json<{ id: string }>('GET', '/users/me');
      const changed = { type: 'UserChanged', message: { type: 'User', id, change_type: 1, data: {} } };
      const own = await heard(async () => {
        expect((await publish(JSON.parse(inCapitals(JSON.stringify(changed))))).status).toBe(202);
      });
      for (const messages of own) expect(messages).toEqual([changed]);
    });

    it('may be foreign where only the reader can resolve them', async () => {
      const message = {
        type: 'Invoice',
        id: '  507F1F77bcf86cd799439011',
        organization_id: world.own.organizations,
        change_type: 0,
        data: {},
      };
      const all = await heard(async () => {
        expect((await publish({ type: 'InvoiceChanged', message })).status).toBe(202);
      });
      for (const messages of all) expect(messages).toEqual([{ type: 'InvoiceChanged', message }]);
    });

    it("are a token's own in capitals too, and foreign before they are unknown", async () => {
      const { token } = await world.admin.json<{ token: string }>('POST', '/tokens', {
        scopes: ['push:publish'],
        organization_id: inCapitals(world.own.organizations),
      });
      const ofAcme = new ApiClient(gateway().url, token);
      const to = (organization_id: string) =>
        publish({ type: 'PlanChanged', message: { organization_id } }, ofAcme);
      for (const id of [world.own.organizations, inCapitals(world.own.organizations)])
        expect((await to(id)).status).toBe(202);
      // The response does not reveal whether they exist.
      const foreign = await Promise.all(
        [
          world.foreign.organizations,
          inCapitals(world.foreign.organizations),
          crypto.randomUUID(),
          'nobody',
        ].map(async (id) => {
          const response = await to(id);
          return [response.status, ((await response.json()) as { detail: string }).detail];
        }),
      );
      expect(new Set(foreign.map((one) => JSON.stringify(one))).size).toBe(1);
      expect(foreign[0]?.[0]).toBe(403);
    });
  });
});
