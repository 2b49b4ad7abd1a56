import { eventually, type Probe } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  freePort,
  newDatabase,
  runSql,
  sampleToken,
  startSql,
} from '@crossfade/test-hosts';
import { expect, inject, it } from 'vitest';
import { insertRow, notification, stale, unappended } from './outbox-rows.ts';
import { transports } from './transports.ts';

const announced = (probe: Probe) =>
  probe.received.flatMap(({ id, type, message }) =>
    type === 'ReleaseNotification' ? [{ id, text: (message as { message: string }).message }] : [],
  );

it('keeps the critical messages of a log that was shared, for the clients of a gateway with one of its own', async () => {
  const databaseUrl = newDatabase(inject('postgresPort'));
  const first = await GatewayHost.start({ databaseUrl });
  const admin = await ApiClient.login(first.url, 'admin@crossfade.test');
  const before = await transports[0]?.open(first.url, { token: admin.token });
  await before?.message('Connected');
  await admin.json('POST', '/notifications/release?critical=false', { value: 'of its own' });
  const own = await before?.message('ReleaseNotification');
  before?.close();
  await first.stop('SIGKILL');
  insertRow(databaseUrl, notification('of the shared log'), true, 'AAAAAAAA.1700000000001-0');
  insertRow(databaseUrl, notification('in no log'), true);
  insertRow(databaseUrl, [stale('a'), stale('b')], false);

  const ids = new Set<string | undefined>();
  for (let start = 0; start < 2; start += 1) {
    const host = await GatewayHost.start({ databaseUrl });
    const expected = ['of its own', 'of the shared log', 'in no log'];
    for (const { open } of transports) {
      const back = await open(host.url, {
        token: admin.token,
        query: { last_event_id: 'AAAAAAAA.1700000000000-0' },
      });
      expect((await back.message('Resync')).message).toMatchObject({ reason: 'log_lost' });
      await eventually('all messages', () => announced(back).length === 3 || undefined);
      expect(new Set(announced(back).map(({ text }) => text))).toEqual(new Set(expected));
      for (const { id } of announced(back)) ids.add(id);
      back.close();
      // It comes back with a cursor of this gateway, and has missed nothing.
      const again = await open(host.url, { token: admin.token, query: { last_event_id: own?.id ?? '' } });
      await eventually('what is later', () => announced(again).length === 2 || undefined);
      again.close();
    }
    expect(unappended(databaseUrl)).toBe(0);
    await host.stop('SIGKILL');
  }
  expect(ids).toContain(own?.id);
  expect(ids).toContain('AAAAAAAA.1700000000001-0');
  expect(ids.size).toBe(3);
});

it('counts the rows that are in no log, and says how old they are', async () => {
  const databaseUrl = newDatabase(inject('postgresPort'));
  const port = await freePort();
  const host = await GatewayHost.start({ databaseUrl, env: { METRICS_PORT: String(port) } });
  const printed = async (name: string): Promise<string | undefined> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return new RegExp(`^crossfade_gateway_outbox_${name}\\{[^}]*\\} (.+)$`, 'm').exec(text)?.[1];
  };
  const value = async (name: string): Promise<number> => Number(await printed(name));
  const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  await admin.json('POST', '/notifications/release?critical=false', { value: 'in the log' });
  await new ApiClient(host.url, sampleToken.storefront).json('POST', '/events', { message: 'in the log' });
  await eventually('an outbox of which all is in the log', async () =>
    (await value('depth')) === 0 && (await value('age')) === 0 ? true : undefined,
  );
  expect(await value('relayed_total')).toBe(0);
  insertRow(databaseUrl, notification('waiting'), true);
  insertRow(databaseUrl, [stale('a'), stale('b')], false);
  runSql(
    databaseUrl,
    `UPDATE push_messages SET created_utc = created_utc - interval '1 hour' WHERE cursor IS NULL`,
  );
  expect(await value('depth')).toBe(2);
  const age = await value('age');
  expect(age).toBeGreaterThanOrEqual(3600);
  expect(age).toBeLessThan(3660);
  // While the table does not answer, a scrape waits half a second for it, and has everything else.
  const unlock = startSql(databaseUrl, 'BEGIN; LOCK TABLE push_messages; SELECT pg_sleep(60)');
  await eventually('a scrape without them', async () =>
    Number.isNaN(await value('depth')) ? true : undefined,
  );
  const asked = performance.now();
  expect(await value('relayed_total')).toBe(0);
  expect(performance.now() - asked).toBeLessThan(1500);
  await unlock();
  await eventually('a scrape with them', async () => ((await value('depth')) === 2 ? true : undefined));
  await host.stop('SIGKILL');
});
