import { ApiClient, GatewayHost, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browsing, apps, connection, rows } from './browser.ts';

const EVENTS = 4000;
const SENDERS = 8;
const KINDS = 5;

describe('load', () => {
  let gateway: GatewayHost;
  let browsing: Browsing;
  beforeAll(async () => {
    gateway = await GatewayHost.start();
    browsing = await Browsing.start();
  });
  afterAll(async () => {
    await browsing?.stop();
    await gateway?.stop();
  });

  it('leaves both apps alive and current after four thousand events', { timeout: 180_000 }, async () => {
    const pages = await Promise.all(
      apps.map(({ path }) => browsing.signedIn(`${gateway.url}${path}`, 'admin@crossfade.test')),
    );
    await Promise.all(pages.map((page) => connection(page, 'open')));
    const client = new ApiClient(gateway.url, sampleToken.storefront);
    const statuses = new Set<number>();
    let next = 0;
    await Promise.all(
      Array.from({ length: SENDERS }, async () => {
        for (let mine = next++; mine < EVENTS; mine = next++) {
          const response = await client.call('POST', '/events', {
            type: 'error',
            message: `Load of kind ${'abcde'[mine % KINDS]}`,
          });
          await response.arrayBuffer();
          statuses.add(response.status);
        }
      }),
    );
    expect(statuses).toEqual(new Set([202]));
    const exact = Array.from({ length: KINDS }, () => (EVENTS / KINDS).toLocaleString('en'));
    for (const page of pages) {
      await expect
        .poll(async () => (await rows(page)).map(({ occurrences }) => occurrences), { timeout: 5000 })
        .toEqual(exact);
      await connection(page, 'open');
    }
    await client.json('POST', '/events', { type: 'error', message: 'afterwards' });
    for (const page of pages) await page.getByRole('link', { name: 'afterwards' }).waitFor({ timeout: 5000 });
    expect(browsing.errors).toEqual([]);
  });
});
