import { ApiClient, LOAD_EVENTS, LOAD_KINDS, sampleToken, sendLoad } from '@crossfade/test-hosts';
import { describe, expect, it } from 'vitest';
import { apps, connection, rows } from './browser.ts';
import { startReplicatedHosts } from './hosts.ts';

describe('load', () => {
  const hosts = startReplicatedHosts();

  it(`leaves both apps alive and current after very many events (${LOAD_EVENTS})`, async () => {
    const pages = await Promise.all(
      apps.map((app) => hosts.browsing.signedIn(hosts.address(app), 'admin@crossfade.test')),
    );
    await Promise.all(pages.map((page) => connection(page, 'open')));
    const client = new ApiClient(hosts.replicas.third.url, sampleToken.storefront);
    const statuses = new Set(await sendLoad(client, LOAD_EVENTS));
    expect(statuses).toEqual(new Set([202]));
    const exact = Array.from({ length: LOAD_KINDS }, () => (LOAD_EVENTS / LOAD_KINDS).toLocaleString('en'));
    for (const page of pages) {
      await expect
        .poll(async () => (await rows(page)).map(({ occurrences }) => occurrences), { timeout: 5000 })
        .toEqual(exact);
      await connection(page, 'open');
    }
    await client.json('POST', '/events', { type: 'error', message: 'afterwards' });
    for (const page of pages) await page.getByRole('link', { name: 'afterwards' }).waitFor({ timeout: 5000 });
    expect(hosts.browsing.errors).toEqual([]);
  });
});
