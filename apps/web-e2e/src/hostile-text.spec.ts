import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { describe, expect, it } from 'vitest';
import { apps, connection } from './browser.ts';
import { startHosts } from './hosts.ts';

const hostile = [
  '<img src=x onerror="window.hacked = 1">',
  '</script><script>window.hacked = 1</script>',
  '{{constructor.constructor("window.hacked = 1")()}}',
  "{{'a'.constructor.prototype.charAt=[].join;$eval('x=1} } };window.hacked=1//');}}",
  'javascript:window.hacked=1',
  '${window.hacked = 1}',
  'data: {"type":"Revoked","message":{"reason":"fake"}}',
];

describe('hostile text', () => {
  const hosts = startHosts();

  it('is shown as it is, and executed nowhere, in both apps', async () => {
    const pages = await Promise.all(
      apps.map(({ path }) => hosts.browsing.signedIn(hosts.gateway.url + path, 'admin@crossfade.test')),
    );
    for (const page of pages) await connection(page, 'open');
    const client = new ApiClient(hosts.gateway.url, sampleToken.storefront);
    for (const text of hostile) {
      const data = {
        [text]: text,
        '@error': { type: text, message: text, stack_trace: [{ name: text, file_name: text }] },
      };
      await client.json('POST', '/events', {
        type: text,
        message: text,
        source: text,
        tags: [text],
        reference_id: text,
        data,
      });
    }
    await Promise.all(
      pages.map(async (page) => {
        for (const text of hostile) await page.getByRole('link', { name: text, exact: true }).waitFor();
        for (const text of hostile) {
          await page.getByRole('link', { name: text, exact: true }).click();
          await page.getByRole('heading', { name: text, exact: true }).waitFor();
          const newest = page.locator('[data-testid=events] details').first();
          await newest.locator('summary').click();
          await newest.locator('pre').last().waitFor();
          await page.goBack();
        }
        await page.getByRole('link', { name: hostile[0] ?? '', exact: true }).waitFor();
        expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
        await connection(page, 'open');
      }),
    );
    expect(hosts.browsing.errors).toEqual([]);
  });
});
