import { eventually, type Probe } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  OwnFolder,
  newDatabase,
  sampleToken,
  type GatewayOptions,
} from '@crossfade/test-hosts';
import { describe, expect, inject, it } from 'vitest';
import { transports } from './transports.ts';

const stores: Record<string, () => GatewayOptions> = {
  PGlite: () => ({ env: { DATA_DIR: new OwnFolder('restart').path } }),
  PostgreSQL: () => ({ databaseUrl: newDatabase(inject('postgresPort')) }),
};

const announce = (admin: ApiClient, value: string) =>
  admin.call('POST', '/notifications/release?critical=false', { value });
const announced = (probe: Probe) =>
  probe.received.flatMap(({ id, type, message }) =>
    type === 'ReleaseNotification' ? [{ id, text: (message as { message: string }).message }] : [],
  );

describe.each(Object.keys(stores))('a gateway that is killed [%s]', (name) => {
  const start = (store: GatewayOptions) => GatewayHost.start(store);
  const newStore = () => (stores[name] ?? stores['PGlite'] ?? (() => ({})))();

  it('gives each returning client its critical messages once, under their old ids, and tells it to refetch the rest', async () => {
    const store = newStore();
    const first = await start(store);
    const admin = await ApiClient.login(first.url, 'admin@crossfade.test');
    const before = await transports[0]?.open(first.url, { token: admin.token });
    const fresh = (await before?.message('Connected'))?.id ?? '';
    expect((await announce(admin, 'heard')).status).toBe(200);
    const heard = await before?.message('ReleaseNotification');
    await new ApiClient(first.url, sampleToken.storefront).json('POST', '/events', {
      message: 'an invalidation',
    });
    await before?.message('StackChanged');
    before?.close();
    expect((await announce(admin, 'missed')).status).toBe(200);
    await first.stop('SIGKILL');

    const second = await start(store);
    const ids = new Set<string | undefined>();
    for (const { open } of transports) {
      const back = await open(second.url, {
        token: admin.token,
        query: { last_event_id: heard?.id ?? '' },
      });
      await back.message('ReleaseNotification');
      expect(back.received.map(({ type }) => type)).toEqual(['Connected', 'Resync', 'ReleaseNotification']);
      expect(back.received[0]).toMatchObject({ id: heard?.id, message: { resumed: 'gap' } });
      expect(back.received[1]).toMatchObject({
        id: heard?.id,
        message: { reason: 'log_lost', criticals: 'complete' },
      });
      expect(announced(back).map(({ text }) => text)).toEqual(['missed']);
      for (const { id } of announced(back)) ids.add(id);
      back.close();

      const longAway = await open(second.url, { token: admin.token, query: { last_event_id: fresh } });
      await eventually('both messages', () => announced(longAway).length === 2 || undefined);
      expect(announced(longAway)[0]).toEqual({ id: heard?.id, text: 'heard' });
      longAway.close();

      // A client with the cursor of another installation gets what is retained, without a promise that it is all.
      const stranger = await open(second.url, {
        token: admin.token,
        query: { last_event_id: 'AAAAAAAA.1-7' },
      });
      expect((await stranger.message('Resync')).message).toMatchObject({
        reason: 'log_lost',
        criticals: 'truncated',
      });
      await eventually('both messages', () => announced(stranger).length === 2 || undefined);
      stranger.close();
    }
    expect(ids.size).toBe(1);
    await second.stop();
  });

  it('loses no critical message of a request that got its response, whenever the process is killed', async () => {
    const store = newStore();
    let host = await start(store);
    const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
    const probe = await transports[0]?.open(host.url, { token: admin.token });
    const cursor = (await probe?.message('Connected'))?.id ?? '';
    const answered: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const client = new ApiClient(host.url, admin.token);
      const killed = new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400)).then(() =>
        host.stop('SIGKILL'),
      );
      for (let number = 0; ; number += 1) {
        const text = `${round}-${number}`;
        const status = await announce(client, text).then(
          (response) => response.status,
          () => undefined,
        );
        if (status === undefined) break;
        expect(status).toBe(200);
        answered.push(text);
      }
      await killed;
      host = await start(store);
    }
    for (const { open } of transports) {
      const back = await open(host.url, { token: admin.token, query: { last_event_id: cursor } });
      const missing = () => {
        const texts = new Set(announced(back).map(({ text }) => text));
        return answered.filter((text) => !texts.has(text));
      };
      await eventually('all that was answered', () => missing().length === 0 || undefined);
      const ids = announced(back).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      back.close();
    }
    console.log(`${name}: ${answered.length} critical messages over three kills, none lost`);
    await host.stop();
  });
});
