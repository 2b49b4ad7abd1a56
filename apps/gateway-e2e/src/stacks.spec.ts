import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachInstallation } from './databases.ts';

interface Stack {
  id: string;
  status: string;
  title: string;
  total_occurrences: number;
  snooze_until_utc: string | null;
  date_fixed: string | null;
  occurrences_are_critical: boolean;
}

onEachInstallation('stacks', {}, (gateway) => {
  let member: ApiClient;
  let client: ApiClient;
  let acme: string;
  beforeAll(async () => {
    member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    client = new ApiClient(gateway().url, sampleToken.storefront);
    acme = (await member.json<{ id: string }[]>('GET', '/organizations'))[0]?.id ?? '';
  });
  const list = (query: string) => member.json<Stack[]>('GET', `/organizations/${acme}/stacks?${query}`);
  const send = async (message: string): Promise<Stack> => {
    await client.json('POST', '/events', { type: 'error', message });
    const found = (await list(`q=${encodeURIComponent(message)}`)).find(({ title }) => title === message);
    if (found === undefined) throw new Error(`there is no stack "${message}"`);
    return found;
  };
  const read = (id: string) => member.json<Stack>('GET', `/stacks/${id}`);

  it('go through every status, and each change is published once', async () => {
    const { id } = await send('goes through every status');
    const probe = await SseProbe.open(gateway().url, { token: member.token });
    await probe.message('Connected');
    const told = () => probe.received.filter(({ type }) => type === 'StackChanged').length;
    let changes = 0;
    for (const status of ['fixed', 'regressed', 'snoozed', 'ignored', 'discarded', 'open']) {
      for (let twice = 0; twice < 2; twice += 1)
        await member.json('POST', `/stacks/${id}/change-status?status=${status}`);
      changes += 1;
      const stack = await read(id);
      expect(stack).toMatchObject({ status, snooze_until_utc: null });
      expect(stack.date_fixed === null).toBe(status !== 'fixed');
      await eventually(`change to ${status}`, () => (told() === changes ? true : undefined));
    }
    await member.json('POST', `/stacks/${id}/mark-critical`);
    expect((await read(id)).occurrences_are_critical).toBe(true);
    await member.json('DELETE', `/stacks/${id}/mark-critical`);
    expect((await read(id)).occurrences_are_critical).toBe(false);
    await eventually('both changes of the flag', () => (told() === changes + 2 ? true : undefined));
    probe.close();
  });

  it('wake up by themselves at the end of their snooze', async () => {
    const { id } = await send('is snoozed');
    const probe = await SseProbe.open(gateway().url, { token: member.token });
    await probe.message('Connected');
    const until = new Date(Date.now() + 1500).toISOString();
    await member.json('POST', `/stacks/${id}/mark-snoozed?snoozeUntilUtc=${until}`);
    expect(await read(id)).toMatchObject({ status: 'snoozed', snooze_until_utc: until });
    await send('is snoozed');
    expect(await read(id)).toMatchObject({ status: 'snoozed', total_occurrences: 2 });
    await eventually(
      'end of the snooze',
      async () => ((await read(id)).status === 'open' ? true : undefined),
      30_000,
    );
    expect((await read(id)).snooze_until_utc).toBeNull();
    await eventually('message about it', () =>
      probe.received.filter(({ type }) => type === 'StackChanged').length >= 3 ? true : undefined,
    );
    const past = await member.call('POST', `/stacks/${id}/mark-snoozed?snoozeUntilUtc=2020-01-01T00:00:00Z`);
    expect(await past.json()).toMatchObject({
      status: 400,
      errors: [{ path: 'snoozeUntilUtc', message: 'must be in the future' }],
    });
    probe.close();
  });

  it('regress on a new event when fixed, and drop it when discarded', async () => {
    const { id } = await send('comes back');
    await member.json('POST', `/stacks/${id}/mark-fixed`);
    expect(await send('comes back')).toMatchObject({ id, status: 'regressed', total_occurrences: 2 });
    await member.json('POST', `/stacks/${id}/change-status?status=discarded`);
    expect(await send('comes back')).toMatchObject({ id, status: 'discarded', total_occurrences: 2 });
    expect(await member.json<unknown[]>('GET', `/stacks/${id}/events`)).toHaveLength(2);
  });

  it('are deleted with their events, and the next event begins a new one', async () => {
    const [one, other] = [await send('is deleted'), await send('is deleted too')];
    const [event] = await member.json<{ id: string }[]>('GET', `/stacks/${one.id}/events`);
    const probe = await SseProbe.open(gateway().url, { token: member.token });
    await probe.message('Connected');
    await member.json('DELETE', `/stacks/${one.id},${other.id}`);
    for (const { id } of [one, other])
      await probe.message('StackChanged', (message) => message['id'] === id && message['change_type'] === 2);
    expect((await member.call('GET', `/stacks/${one.id}`)).status).toBe(404);
    expect((await member.call('GET', `/events/${event?.id}`)).status).toBe(404);
    const again = await send('is deleted');
    expect(again.total_occurrences).toBe(1);
    expect(again.id).not.toBe(one.id);
    probe.close();
  });

  it('are found by words of their title, whatever their case and order, and by nothing else', async () => {
    const messages = ['100% of the Köttbullar_tray is gone', 'a tray was lost', 'one\\two'];
    for (const message of messages) await send(message);
    const titles = async (q: string) =>
      (await list(`q=${encodeURIComponent(q)}`)).map(({ title }) => title).sort();
    expect(await titles('TRAY')).toEqual(messages.slice(0, 2));
    expect(await titles('gone köttbullar')).toEqual([messages[0]]);
    expect(await titles('100%')).toEqual([messages[0]]);
    expect(await titles('r_t')).toEqual([messages[0]]);
    expect(await titles('one\\')).toEqual([messages[2]]);
    expect(await titles('%')).toEqual([messages[0]]);
    expect(await titles('tray nowhere')).toEqual([]);
    expect((await titles('')).length).toBeGreaterThan(3);
  });

  it('are filtered and sorted', async () => {
    await send('often');
    await send('often');
    const often = await send('often');
    await member.json('POST', `/stacks/${often.id}/change-status?status=ignored`);
    expect((await list('status=ignored')).map(({ id }) => id)).toEqual([often.id]);
    const most = await list('sort=occurrences&limit=100');
    const counts = most.map(({ total_occurrences }) => total_occurrences);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect((await list('sort=first&limit=1'))[0]?.id).toBe(often.id);
    expect((await list('sort=last&limit=1'))[0]?.id).toBe(often.id);
  });

  it('may be changed, counted, deleted and reset by many at once, and no request fails', async () => {
    const kinds = [...'abcdefghijklmnop'].map((letter) => ({ type: 'error', message: `Crowd ${letter}` }));
    await client.json('POST', '/events', kinds);
    const ids = (await list('q=crowd&limit=100')).map(({ id }) => id);
    expect(ids).toHaveLength(kinds.length);
    const project = await member.json<{ id: string }>('POST', '/projects', {
      organization_id: acme,
      name: 'Doomed',
    });
    const { token } = await member.json<{ token: string }>('POST', `/projects/${project.id}/tokens`, {});
    const doomed = new ApiClient(gateway().url, token);
    // Each round has another order.
    const turned = <T>(all: readonly T[], by: number): T[] => {
      const from = (by * 5) % all.length;
      const one = [...all.slice(from), ...all.slice(0, from)];
      return by % 2 === 0 ? one : one.reverse();
    };
    const rounds = 15;
    const answers = await Promise.all(
      Array.from({ length: rounds }, (_, round) => [
        client.call('POST', '/events', turned(kinds, round)),
        client.call('POST', '/events', turned(kinds, round + 3)),
        doomed.call('POST', '/events', turned(kinds, round)),
        member.call('POST', `/stacks/${turned(ids, round).join(',')}/mark-fixed`),
        member.call('POST', `/stacks/${turned(ids, round + 1).join(',')}/change-status?status=open`),
        member.call(
          'POST',
          `/organizations/${acme}/change-plan?planId=${round % 2 === 0 ? 'small' : 'unlimited'}`,
        ),
        ...(round === 5 ? [member.call('DELETE', `/projects/${project.id}`)] : []),
      ]).flat(),
    );
    expect(answers.filter(({ status }) => status >= 500).map(({ status }) => status)).toEqual([]);
    await member.json('POST', `/organizations/${acme}/change-plan?planId=unlimited`);
    for (const { total_occurrences } of await list('q=crowd&limit=100'))
      expect(total_occurrences).toBe(1 + 2 * rounds);
    expect(gateway().output).not.toContain('"level":50');
  });
});
