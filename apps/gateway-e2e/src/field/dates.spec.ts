import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';

/** Dates of events and their instants. Undefined: not a date, so the event has the time of its arrival. */
const dates: readonly (readonly [string, string | undefined])[] = [
  ['2024-05-31T14:30:05.250Z', '2024-05-31T14:30:05.250Z'],
  ['2024-05-31T14:30:05.250', '2024-05-31T14:30:05.250Z'],
  ['2024-05-31T14:30:05', '2024-05-31T14:30:05.000Z'],
  ['2024-05-31T14:30', '2024-05-31T14:30:00.000Z'],
  ['2024-05-31', '2024-05-31T00:00:00.000Z'],
  // As .NET, Python, Java and Go write them.
  ['2024-05-31T14:30:05.1234567+02:00', '2024-05-31T12:30:05.123Z'],
  ['2024-05-31T14:30:05.123456+00:00', '2024-05-31T14:30:05.123Z'],
  ['2024-05-31T14:30:05.123+0000', '2024-05-31T14:30:05.123Z'],
  ['2024-05-31T14:30:05.123456789-07:00', '2024-05-31T21:30:05.123Z'],
  ['2024-05-31T14:30:05,5+05', '2024-05-31T09:30:05.500Z'],
  ['2024-05-31T14:30:05z', '2024-05-31T14:30:05.000Z'],
  ['2024-02-29T23:59:59.999-12:00', '2024-03-01T11:59:59.999Z'],
  ['5', undefined],
  ['2013', undefined],
  ['build 2013', undefined],
  ['Release 2.4.1', undefined],
  ['1', undefined],
  ['2024', undefined],
  ['20240531', undefined],
  ['1717165805000', undefined],
  ['05/31/2024', undefined],
  ['31.05.2024 14:30', undefined],
  ['May 31, 2024', undefined],
  ['Fri May 31 2024 14:30:05 GMT+0200', undefined],
  ['Fri, 31 May 2024 14:30:05 GMT', undefined],
  ['2024-05-31 14:30:05', undefined],
  ['2024-5-31', undefined],
  ['2024-02-30T00:00:00Z', undefined],
  ['2023-02-29', undefined],
  ['2024-05-31T24:00:00Z', undefined],
  ['2024-05-31T14:30:60Z', undefined],
  ['2024-05-31T14:30:05+25:00', undefined],
  ['2024-W22-5', undefined],
  ['(2024-05-31)', undefined],
  ['2024-05-31T14:30:05 Z', undefined],
  ['today', undefined],
  ['', undefined],
];

// A zone whose offset is not a whole number of hours, with summer time.
onEachDatabase('dates, where the gateway runs far from UTC', { TZ: 'Australia/Lord_Howe' }, (gateway) => {
  let member: ApiClient;
  let project: string;
  let stack: string;
  beforeAll(async () => {
    member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    const projects = await member.json<{ id: string; name: string }[]>('GET', '/projects');
    project = projects.find(({ name }) => name === 'Storefront')?.id ?? '';
    await new ApiClient(gateway().url, sampleToken.storefront).json('POST', '/events', {
      message: 'to be snoozed',
    });
    const [found] = await member.json<{ id: string }[]>('GET', `/projects/${project}/stacks`);
    stack = found?.id ?? '';
  });

  it('of events are ISO 8601, in UTC without an offset; if invalid, the time of arrival counts', async () => {
    const client = new ApiClient(gateway().url, sampleToken.storefront);
    const begun = Date.now();
    await client.json(
      'POST',
      '/events',
      dates.map(([date], index) => ({ message: 'dated', date, reference_id: `date ${index}` })),
    );
    const events = await member.json<{ date: string; reference_id: string | null }[]>(
      'GET',
      `/projects/${project}/events?limit=100`,
    );
    for (const [index, [text, instant]] of dates.entries()) {
      const date = events.find(({ reference_id: reference }) => reference === `date ${index}`)?.date ?? '';
      if (instant !== undefined) expect(date, text).toBe(instant);
      else expect(Date.parse(date) - begun, `${text} became ${date}`).toBeGreaterThanOrEqual(-1000);
    }
  });

  const LATER = '2030';
  it.each(dates.map(([text, instant]) => [text.replace('2024', LATER), instant, text] as const))(
    'of a snooze are the same: %s',
    async (text, _of2024, in2024) => {
      const wanted = dates.find(([date]) => date === in2024)?.[1];
      // 2030 has no February 29.
      const instant = text.includes('-02-29') ? undefined : wanted?.replace('2024', LATER);
      const path = `/stacks/${stack}/mark-snoozed?snoozeUntilUtc=${encodeURIComponent(text)}`;
      const response = await member.call('POST', path);
      expect(response.status).toBe(instant === undefined ? 400 : 200);
      if (instant === undefined) {
        const message = 'must be a date of ISO 8601, like 2030-01-31T09:00:00Z';
        expect(await response.json()).toMatchObject({ errors: [{ path: 'snoozeUntilUtc', message }] });
        return;
      }
      expect(await member.json('GET', `/stacks/${stack}`)).toMatchObject({ snooze_until_utc: instant });
    },
  );

  it('of a snooze may have an unencoded plus before their offset', async () => {
    const path = `/stacks/${stack}/mark-snoozed?snoozeUntilUtc=2030-05-31T14:30:05+02:00`;
    expect((await member.call('POST', path)).status).toBe(200);
    expect(await member.json('GET', `/stacks/${stack}`)).toMatchObject({
      snooze_until_utc: '2030-05-31T12:30:05.000Z',
    });
  });

  it('of messages are explained when refused', async () => {
    const service = new ApiClient(gateway().url, sampleToken.service);
    for (const date of [
      '5',
      'build 2013',
      '2024-05-31',
      '05/31/2024',
      '2024-05-31T14:30:05',
      '2024-05-31T14:30:05+02:00',
    ]) {
      const response = await service.call('POST', '/push/messages', {
        type: 'ReleaseNotification',
        message: { critical: false, date },
      });
      expect(response.status, date).toBe(400);
      expect(await response.json()).toMatchObject({
        errors: [{ path: 'message.date', message: 'must be a date in UTC, like 2030-01-31T09:00:00Z' }],
      });
    }
  });
});
