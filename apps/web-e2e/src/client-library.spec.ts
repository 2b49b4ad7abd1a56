import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import type { Page, Response } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts } from './hosts.ts';

const require = createRequire(import.meta.url);
const bundle = require.resolve('@exceptionless/browser').replace(/index\.js$/, 'index.bundle.min.js');

interface StackEvent {
  type: string;
  message: string;
  reference_id: string | null;
  data: Record<string, unknown>;
}

/** A product's own site: it serves its page and the unchanged client library, and knows of Crossfade by its address. */
async function startSite(gateway: string): Promise<Server> {
  const page = `<!doctype html><title>A shop</title><script type="module" src="/shop.js"></script>`;
  const script = `
    import { Exceptionless } from '/exceptionless.js';
    await Exceptionless.startup((c) => {
      c.serverUrl = '${gateway}';
      c.apiKey = '${sampleToken.storefront}';
      c.useSessions(true, 60000, true);
      c.setUserIdentity('customer-1', 'A Customer');
    });
    window.exceptionless = Exceptionless;
    document.title = 'Ready';`;
  const files: Record<string, [type: string, body: string | Buffer]> = {
    '/': ['text/html', page],
    '/shop.js': ['text/javascript', script],
    '/exceptionless.js': ['text/javascript', readFileSync(bundle)],
  };
  const server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ''] ?? ['text/plain', ''];
    response.writeHead(body === '' ? 204 : 200, { 'Content-Type': type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe('@exceptionless/browser, unchanged, from a page of another origin', () => {
  const hosts = startHosts();
  let site: Server;
  let page: Page;
  const answered: Response[] = [];
  let admin: ApiClient;
  let storefront: string;
  beforeAll(async () => {
    site = await startSite(hosts.gateway.url);
    admin = await ApiClient.login(hosts.gateway.url, 'admin@crossfade.test');
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    storefront = projects.find(({ name }) => name === 'Storefront')?.id ?? '';
    page = await hosts.browsing.window('about:blank');
    page.on('response', (response) => answered.push(response));
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => document.title === 'Ready');
  });
  afterAll(() => {
    site?.close();
  });

  const newest = (is: (event: StackEvent) => boolean) =>
    eventually('event', async () =>
      (await admin.json<StackEvent[]>('GET', `/projects/${storefront}/events?limit=100`)).find(is),
    );
  const answers = (part: string) =>
    page.waitForResponse(
      (response) => response.url().includes(part) && response.request().method() !== 'OPTIONS',
      {
        timeout: 20_000,
      },
    );

  it('sends an error that nobody caught, with its stack trace, and becomes a stack', async () => {
    const posted = answers('/api/v2/events');
    await page.evaluate(() => {
      setTimeout(() => {
        throw new TypeError('The basket is gone');
      });
    });
    await page.evaluate('window.exceptionless.processQueue()');
    expect((await posted).status()).toBe(202);
    const { type, data } = await newest((event) => JSON.stringify(event.data).includes('The basket is gone'));
    expect(type).toBe('error');
    expect(JSON.stringify(data['@error'])).toContain('stack_trace');
    expect(data['@user']).toMatchObject({ identity: 'customer-1' });
    const stacks = await admin.json<{ title: string }[]>('GET', `/projects/${storefront}/stacks?q=basket`);
    expect(stacks.map(({ title }) => title)).toEqual(['The basket is gone']);
    // The page's own uncaught error.
    expect(hosts.browsing.errors.splice(0).every((error) => error.includes('The basket is gone'))).toBe(true);
  });

  it('begins a session and keeps it alive', async () => {
    await page.evaluate(
      'window.exceptionless.submitSessionStart().then(() => window.exceptionless.processQueue())',
    );
    const begun = await newest(({ type }) => type === 'session');
    const beat = answers('/events/session/heartbeat');
    await page.evaluate('window.exceptionless.submitSessionHeartbeat("customer-1")');
    expect((await beat).status()).toBe(200);
    expect(begun.type).toBe('session');
  });

  it("adds what the user says to the error, and learns of its project's settings", async () => {
    await page.evaluate(`window.exceptionless.createException(new Error('Said more'))
      .setReferenceId('reference-1').submit().then(() => window.exceptionless.processQueue())`);
    await newest(({ reference_id }) => reference_id === 'reference-1');
    const said = answers('/user-description');
    await page.evaluate(
      `window.exceptionless.updateUserEmailAndDescription('reference-1', 'customer@example.com', 'I clicked twice')`,
    );
    expect((await said).status()).toBe(202);
    const described = await newest(({ data }) => data['@user_description'] !== undefined);
    expect(described.data['@user_description']).toMatchObject({
      email_address: 'customer@example.com',
      description: 'I clicked twice',
    });
    // Every answer to an event says which version they have.
    await eventually('request for the settings', () =>
      answered.find((one) => one.url().includes('/projects/config')),
    );
    expect(
      answered.filter((one) => one.url().includes('/api/') && !one.ok()).map((one) => one.url()),
    ).toEqual([]);
    // Nothing was refused to the other origin.
    expect(hosts.browsing.errors).toEqual([]);
  });
});
