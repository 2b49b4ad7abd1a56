import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';

const errorsIn = (output: string): string[] =>
  output.split('\n').filter((line) => line.includes('"level":50'));

onEachDatabase('requests that once got a 500', { API_THROTTLE_PER_MINUTE: '0' }, (gateway) => {
  let member: ApiClient;
  let client: ApiClient;
  let organizationId: string;
  let stackId: string;
  beforeAll(async () => {
    member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    client = new ApiClient(gateway().url, sampleToken.storefront);
    const [organization] = await member.json<{ id: string }[]>('GET', '/organizations');
    organizationId = organization?.id ?? '';
    await client.json('POST', '/events', { message: 'to be snoozed', reference_id: 'described' });
    const [stack] = await member.json<{ id: string }[]>('GET', `/organizations/${organizationId}/stacks`);
    stackId = stack?.id ?? '';
  });
  afterAll(() => expect(errorsIn(gateway().output)).toEqual([]));

  it.each([
    ['9999-12-31T23:59:59-23:59', 400],
    ['9999-12-31T23:59:59Z', 200],
    ['9999-12-31T23:59:59.999Z', 200],
    ['9999-12-31T23:59:59.9999999Z', 200],
    ['9999-12-31T23:59:59-00:01', 400],
    ['0000-01-01T00:00:00Z', 400],
    ['+010000-01-01T00:00:00Z', 400],
    ['2030-02-30T00:00:00Z', 400],
    ['2030-01-01T24:00:00Z', 400],
    ['2030-01-01T00:00:60Z', 400],
  ])('a date at the edge: %s', async (date, status) => {
    const path = `/stacks/${stackId}/mark-snoozed?snoozeUntilUtc=${encodeURIComponent(date)}`;
    const answer = await member.call('POST', path);
    expect(answer.status).toBe(status);
    expect((await member.call('GET', `/stacks/${stackId}`)).status).toBe(200);
  });

  it('a date of an event at the edge', async () => {
    for (const date of [
      '9999-12-31T23:59:59-23:59',
      '-271821-04-20T00:00:00Z',
      '275760-09-13T00:00:00Z',
      '0',
      '1'.repeat(50),
    ])
      expect((await client.call('POST', '/events', { message: 'dated', date })).status).toBe(202);
  });

  it('text that is cut in the middle of a character, or has characters that jsonb refuses', async () => {
    const path = '/events/by-ref/described/user-description';
    for (const said of [
      { description: `${'x'.repeat(9999)}\ud83d\ude00` },
      { description: 'lone \ud800', data: { 'nul\0': ['\0', '\udc00'] } },
      { email_address: `${'x'.repeat(319)}\ud83d\ude00`, data: { __proto__: null, constructor: { a: 1 } } },
    ])
      expect((await client.call('POST', path, said)).status).toBe(202);
    for (const id of [`${'x'.repeat(199)}\ud83d\ude00`, 'nul\0', '\ud83d'.toWellFormed()])
      expect(
        (await client.call('GET', `/events/session/heartbeat?id=${encodeURIComponent(id)}`)).status,
      ).toBe(200);
  });

  it('tokens, events and stacks of a project that is deleted at the same time', async () => {
    const statuses = new Set<number>();
    for (let round = 0; round < 8; round += 1) {
      const { id } = await member.json<{ id: string }>('POST', '/projects', {
        organization_id: organizationId,
        name: `Short-lived ${round}`,
      });
      const { token } = await member.json<{ token: string }>('POST', `/projects/${id}/tokens`, {});
      const own = new ApiClient(gateway().url, token);
      const makesTokens = async (): Promise<number> => {
        for (;;) {
          const { status } = await member.call('POST', `/projects/${id}/tokens`, {});
          if (status !== 201) return status;
        }
      };
      const makers = Array.from({ length: 6 }, makesTokens);
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () =>
          own.call('POST', '/events', [{ message: 'late' }, { message: `later ${round}` }]),
        ),
        member.call('POST', `/projects/${id}/events`, { message: 'by a member' }),
        new Promise<Response>((resolve, reject) =>
          setTimeout(() => void member.call('DELETE', `/projects/${id}`).then(resolve, reject), round),
        ),
      ]);
      for (const { status } of answers) statuses.add(status);
      expect(new Set(await Promise.all(makers))).toEqual(new Set([404]));
    }
    expect([...statuses].filter((status) => status >= 500)).toEqual([]);
  });

  it('messages of a service whose token is revoked at the same time', async () => {
    const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const message = {
      type: 'StackChanged',
      message: { type: 'Stack', organization_id: organizationId, change_type: 1 },
    };
    const statuses = new Set<number>();
    for (let round = 0; round < 5; round += 1) {
      const { id, token } = await admin.json<{ id: string; token: string }>('POST', '/tokens', {
        scopes: ['push:publish'],
      });
      const service = new ApiClient(gateway().url, token);
      const publish = () =>
        service.call('POST', '/push/messages', message, { 'Idempotency-Key': crypto.randomUUID() });
      const answers = await Promise.all([
        ...Array.from({ length: 5 }, publish),
        admin.call('DELETE', `/tokens/${id}`),
        ...Array.from({ length: 5 }, publish),
      ]);
      for (const { status } of answers) statuses.add(status);
    }
    expect([...statuses].filter((status) => ![202, 204, 401].includes(status))).toEqual([]);
  });

  it('and messages that were accepted but reached nobody: those with the id of their organization', async () => {
    const probe = await SseProbe.open(gateway().url, { token: member.token });
    await probe.message('Connected');
    const service = new ApiClient(gateway().url, sampleToken.service);
    const message = {
      type: 'PersistentEventChanged',
      message: { type: 'Organization', id: organizationId, change_type: 1 },
    };
    for (let sent = 0; sent < 5; sent += 1)
      expect((await service.call('POST', '/push/messages', message)).status).toBe(202);
    await eventually(
      'merged message',
      () => probe.received.filter(({ type }) => type === 'PersistentEventChanged').length >= 2 || undefined,
    );
    probe.close();
  });
});
