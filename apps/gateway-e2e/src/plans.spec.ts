import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, hourWithRoom, sampleToken } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachInstallation } from './databases.ts';

interface Organization {
  id: string;
  name: string;
  plan_id: string;
  usage: Record<'month' | 'hour', { total: number; limit: number | null; dropped: number }>;
  is_over_monthly_limit: boolean;
  is_over_hourly_limit: boolean;
}

onEachInstallation('plans', {}, (gateway) => {
  let admin: ApiClient;
  const intranet = () => new ApiClient(gateway().url, sampleToken.intranet);
  const globex = async (): Promise<Organization> => {
    const all = await admin.json<Organization[]>('GET', '/organizations');
    const found = all.find(({ name }) => name === 'Globex');
    if (found === undefined) throw new Error('there is no Globex');
    return found;
  };
  const batch = (size: number) => Array.from({ length: size }, () => ({ message: 'counted' }));
  const takenOf = ({ headers }: Response) =>
    `${headers.get('x-crossfade-accepted')}, ${headers.get('x-crossfade-dropped')} dropped`;
  beforeAll(async () => {
    await hourWithRoom(20);
    admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
  });

  it('count each event once, and exactly those that fit, however many senders there are at once', async () => {
    const probe = await SseProbe.open(gateway().url, { token: admin.token });
    await probe.message('Connected');
    // 40 batches of 9 are 360 events; 33 batches fit into 300, and the beginning of one more.
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => intranet().call('POST', '/events', batch(9))),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(34);
    expect(statuses.filter((status) => status === 402)).toHaveLength(6);
    expect(answers.map(takenOf).filter((taken) => taken === '9, 0 dropped')).toHaveLength(33);
    expect(answers.map(takenOf).filter((taken) => taken === '3, 6 dropped')).toHaveLength(1);
    const refused = await answers.find(({ status }) => status === 402)?.json();
    expect(refused).toMatchObject({ detail: expect.stringContaining('300 events an hour') as string });
    const { usage, is_over_hourly_limit, is_over_monthly_limit } = await globex();
    expect(usage).toEqual({
      hour: { total: 300, limit: 300, dropped: 60 },
      month: { total: 300, limit: 3000, dropped: 60 },
    });
    expect({ is_over_hourly_limit, is_over_monthly_limit }).toEqual({
      is_over_hourly_limit: true,
      is_over_monthly_limit: false,
    });
    const [stack] = await admin.json<{ total_occurrences: number }[]>(
      'GET',
      `/organizations/${(await globex()).id}/stacks`,
    );
    expect(stack?.total_occurrences).toBe(300);
    // Announced once, however many were refused.
    await probe.message('PlanOverage');
    expect((await intranet().call('POST', '/events', batch(9))).status).toBe(402);
    expect((await globex()).usage.hour).toEqual({ total: 300, limit: 300, dropped: 69 });
    await new ApiClient(gateway().url, sampleToken.storefront).json('POST', '/events', {
      message: 'after it',
    });
    await eventually('change after the overage', () =>
      probe.received.at(-1)?.type === 'PersistentEventChanged' ? true : undefined,
    );
    const overages = probe.received.filter(({ type }) => type === 'PlanOverage');
    expect(overages.map(({ message }) => message)).toEqual([
      { organization_id: (await globex()).id, is_hourly: true },
    ]);
    probe.close();
  });

  it('are listed with their limits, for members', async () => {
    const { id } = await globex();
    expect(await admin.json('GET', `/organizations/${id}/plans`)).toEqual({
      plans: [
        { id: 'free', limits: { month: 3000, hour: 300 } },
        { id: 'small', limits: { month: 15_000, hour: 1500 } },
        { id: 'unlimited', limits: { month: null, hour: null } },
      ],
    });
    const member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    expect((await member.call('GET', `/organizations/${id}/plans`)).status).toBe(404);
  });

  it('are changed by a member: everyone is told, refused events no longer count, and more fit', async () => {
    const probe = await SseProbe.open(gateway().url, { token: admin.token });
    await probe.message('Connected');
    const { id } = await globex();
    const changed = await admin.json<Organization>('POST', `/organizations/${id}/change-plan?planId=small`);
    expect(changed).toMatchObject({
      plan_id: 'small',
      usage: { hour: { total: 300, limit: 1500, dropped: 69 } },
      is_over_hourly_limit: false,
    });
    expect((await probe.message('PlanChanged')).message).toEqual({ organization_id: id });
    expect((await intranet().call('POST', '/events', batch(9))).status).toBe(202);
    await admin.json('POST', `/organizations/${id}/change-plan?planId=small`);
    await admin.json('POST', `/organizations/${id}/change-plan?planId=free`);
    await eventually('second change', () =>
      probe.received.filter(({ type }) => type === 'PlanChanged').length === 2 ? true : undefined,
    );
    // 309 were sent in this hour, more than the smaller plan allows.
    expect(await globex()).toMatchObject({ plan_id: 'free', is_over_hourly_limit: true });
    const member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    expect((await member.call('POST', `/organizations/${id}/change-plan?planId=small`)).status).toBe(404);
    probe.close();
  });

  it('do not count what a discarded stack drops', async () => {
    const { id } = await globex();
    await admin.json('POST', `/organizations/${id}/change-plan?planId=unlimited`);
    const { total: before, dropped } = (await globex()).usage.hour;
    const [stack] = await admin.json<{ id: string }[]>('GET', `/organizations/${id}/stacks`);
    await admin.json('POST', `/stacks/${stack?.id}/change-status?status=discarded`);
    await intranet().json('POST', '/events', batch(5));
    await intranet().json('POST', '/events', [...batch(5), { message: 'of another kind' }]);
    expect((await globex()).usage).toEqual({
      hour: { total: before + 1, limit: null, dropped },
      month: { total: before + 1, limit: null, dropped },
    });
  });

  it('do not limit an organization that has the unlimited plan', async () => {
    const storefront = new ApiClient(gateway().url, sampleToken.storefront);
    expect((await storefront.call('POST', '/events', batch(4000))).status).toBe(202);
  });
});
