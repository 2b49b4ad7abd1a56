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

  for (const { name, path } of apps) {
    it(`is shown as it is, and executed nowhere, in the ${name} app`, async () => {
      const page = await hosts.browsing.signedIn(`${hosts.gateway.url}${path}`, 'admin@crossfade.test');
      await connection(page, 'open');
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
      expect(hosts.browsing.errors).toEqual([]);
      await connection(page, 'open');
      await page.context().close();
    });
  }
});
