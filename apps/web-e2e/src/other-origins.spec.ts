import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, browserNames, freePort, sampleToken } from '@crossfade/test-hosts';
import type { Page, Response } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts } from './hosts.ts';
import { Site } from './site.ts';

interface Asked {
  method?: string;
  headers: Record<string, string>;
  body?: string;
}

interface StackEvent {
  type: string;
  message: string;
  reference_id: string | null;
  data: Record<string, unknown>;
}

/** Headers that pages, libraries and agents set. */
const HEADERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'React Native': { 'Cache-Control': 'no-cache', 'X-Requested-With': 'XMLHttpRequest' },
  'a library that names itself': { 'User-Agent': 'a-library/1.0', 'X-Exceptionless-Client': 'a-library/1.0' },
  'an agent that traces': { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, baggage: 'a=b' },
  'one of 1990': { Pragma: 'no-cache', 'If-Modified-Since': 'Sat, 01 Jan 2000 00:00:00 GMT' },
  'a product': { 'X-Shop_Basket.1': '3' },
};

/** Opens a stream, with a `url` and a `token`, in a page. */
const STREAMS: Readonly<Record<string, string>> = {
  EventSource: `new EventSource(url + '?access_token=' + token)`,
  'event-source-polyfill': `await import('/event-source-polyfill.js')
    .then(() => new EventSourcePolyfill(url, { headers: { Authorization: 'Bearer ' + token } }))`,
  'react-native-sse': `await import('/react-native-sse.js')
    .then(({ default: Source }) => new Source(url, { headers: { Authorization: 'Bearer ' + token } }))`,
};

const allowedPort = await freePort();

describe('pages of other origins', () => {
  const hosts = startHosts(
    { CORS_ORIGINS: `http://127.0.0.1:${allowedPort}`, API_THROTTLE_PER_MINUTE: '0' },
    browserNames,
  );
  let unknown: Site;
  let allowed: Site;
  let admin: ApiClient;
  let storefront: string;
  beforeAll(async () => {
    unknown = await Site.start(hosts.gateway.url);
    allowed = await Site.start(hosts.gateway.url, allowedPort);
    admin = await ApiClient.login(hosts.gateway.url, 'admin@crossfade.test');
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    storefront = projects.find(({ name }) => name === 'Storefront')?.id ?? '';
  });
  afterAll(() => {
    unknown?.stop();
    allowed?.stop();
  });

  const find = async (is: (event: StackEvent) => boolean) =>
    (await admin.json<StackEvent[]>('GET', `/projects/${storefront}/events?limit=100`)).find(is);
  const newest = (is: (event: StackEvent) => boolean) => eventually('event', () => find(is));

  describe.each(browserNames)('in %s', (browser) => {
    const customer = `customer of ${browser}`;
    let page: Page;
    let ofAllowed: Page;
    const answered: Response[] = [];
    beforeAll(async () => {
      page = await hosts.browsing.window('about:blank', { browser });
      page.on('response', (response) => answered.push(response));
      await page.goto(`${unknown.url}/?customer=${customer}`);
      await page.waitForFunction(() => document.title === 'Ready');
      ofAllowed = await hosts.browsing.window('about:blank', { browser });
      await ofAllowed.goto(`${allowed.url}/?customer=${customer}`);
      await ofAllowed.waitForFunction(() => document.title === 'Ready');
    });

    const answers = (part: string) =>
      page.waitForResponse(
        (response) => response.url().includes(part) && response.request().method() !== 'OPTIONS',
        { timeout: 20_000 },
      );

    describe('@exceptionless/browser, unchanged', () => {
      it('sends an uncaught error, with its stack trace, which becomes a stack', async () => {
        const message = `The basket of ${browser} is gone`;
        const posted = answers('/api/v2/events');
        await page.evaluate((text) => {
          setTimeout(() => {
            throw new TypeError(text);
          });
        }, message);
        await page.evaluate('window.exceptionless.processQueue()');
        expect((await posted).status()).toBe(202);
        // It was refused before because Firefox lets it set its name.
        const agent = await (await posted).request().headerValue('user-agent');
        expect(/exceptionless/.test(agent ?? '')).toBe(browser === 'Firefox');
        const { type, data } = await eventually('error', async () => {
          // The page puts it into the queue later, when it has time.
          await page.evaluate('window.exceptionless.processQueue()');
          return find((event) => JSON.stringify(event.data).includes(message));
        });
        expect(type).toBe('error');
        expect(JSON.stringify(data['@error'])).toContain('stack_trace');
        expect(data['@user']).toMatchObject({ identity: customer });
        const stacks = await admin.json<{ title: string }[]>(
          'GET',
          `/projects/${storefront}/stacks?q=${browser}`,
        );
        expect(stacks.map(({ title }) => title)).toEqual([message]);
        // The uncaught error of the page itself.
        expect(hosts.browsing.errors.splice(0).every((error) => error.includes(message))).toBe(true);
      });

      it('begins a session and keeps it alive', async () => {
        await page.evaluate(
          'window.exceptionless.submitSessionStart().then(() => window.exceptionless.processQueue())',
        );
        const begun = await newest(
          ({ type, data }) => type === 'session' && JSON.stringify(data['@user']).includes(customer),
        );
        const beat = answers('/events/session/heartbeat');
        await page.evaluate(`window.exceptionless.submitSessionHeartbeat("${customer}")`);
        expect((await beat).status()).toBe(200);
        expect(begun.type).toBe('session');
      });

      it("adds the user's description to the error, and gets its project's settings", async () => {
        const reference = `reference-${browser}`;
        await page.evaluate(`window.exceptionless.createException(new Error('Said more'))
          .setReferenceId('${reference}').submit().then(() => window.exceptionless.processQueue())`);
        await newest(({ reference_id }) => reference_id === reference);
        const said = answers('/user-description');
        await page.evaluate(
          `window.exceptionless.updateUserEmailAndDescription('${reference}', 'customer@example.com', 'I clicked twice')`,
        );
        expect((await said).status()).toBe(202);
        const described = await newest(
          ({ reference_id, data }) => reference_id === reference && data['@user_description'] !== undefined,
        );
        expect(described.data['@user_description']).toMatchObject({
          email_address: 'customer@example.com',
          description: 'I clicked twice',
        });
        // Every response to an event has the version of the settings.
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

    it('exceptionless 1, unchanged, sends an error', async () => {
      const message = `Of old in ${browser}`;
      const status = await page.evaluate(`new Promise((resolve) => {
        const script = document.createElement('script');
        script.src = '/exceptionless-1.js';
        script.onload = () => {
          const client = window.exceptionless.ExceptionlessClient.default;
          client.config.serverUrl = '${hosts.gateway.url}';
          client.config.apiKey = '${sampleToken.storefront}';
          client.config.queue.onEventsPosted((events, { statusCode }) => resolve(statusCode));
          client.createException(new Error('${message}')).submit(() => client.config.queue.process());
        };
        document.head.append(script);
      })`);
      expect(status).toBe(202);
      await newest((event) => JSON.stringify(event.data).includes(message));
      expect(hosts.browsing.errors).toEqual([]);
    });

    /** What the page gets: a status, or an error's name. */
    const ask = (from: Page, path: string, init: Asked) =>
      from.evaluate(
        ([url, options]) =>
          fetch(url, options).then(
            ({ status }) => status,
            (error: Error) => error.name,
          ),
        [`${hosts.gateway.url}/api/v2${path}`, init] as const,
      );

    it.each(Object.entries(HEADERS))(
      'headers of %s are allowed on routes of client libraries, and elsewhere only for allowed origins',
      async (_title, headers) => {
        const post = (body: string) => ({
          method: 'POST',
          headers: {
            ...headers,
            Authorization: `Bearer ${sampleToken.storefront}`,
            'Content-Type': 'application/json',
          },
          body,
        });
        const get = { headers: { ...headers, Authorization: `Bearer ${admin.token}` } };
        for (const from of [page, ofAllowed])
          expect(await ask(from, '/events', post('{"message":"from elsewhere"}'))).toBe(202);
        // A refusal may be read, too.
        expect(await ask(page, '/events', post('{'))).toBe(400);
        expect(await ask(ofAllowed, '/users/me', get)).toBe(200);
        hosts.browsing.errors.splice(0);
        expect(await ask(page, '/users/me', get)).toBe('TypeError');
        expect(await ask(page, '/auth/login', post('{}'))).toBe('TypeError');
        hosts.browsing.errors.splice(0);
      },
    );

    it.each(Object.entries(STREAMS))(
      'a stream by %s opens only for pages of allowed origins',
      async (name, opened) => {
        const { token } = await ApiClient.login(hosts.gateway.url, 'member@crossfade.test');
        const open = (from: Page) =>
          from.evaluate(`(async () => {
            const url = '${hosts.gateway.url}/api/v2/push';
            const token = '${token}';
            const source = ${opened};
            window.heard = [];
            source.addEventListener('message', ({ data }) => window.heard.push(data));
            source.addEventListener('error', () => window.heard.push('error'));
            window.stop = () => source.close();
          })()`);
        const heard = (from: Page) => from.evaluate<string[]>('window.heard');
        await Promise.all([page, ofAllowed].map(open));
        await expect.poll(() => heard(ofAllowed)).toContainEqual(expect.stringContaining('Connected'));
        await expect.poll(() => heard(page)).toContain('error');
        await admin.json('POST', '/notifications/release?critical=false', { value: `for ${name}` });
        await expect.poll(() => heard(ofAllowed)).toContainEqual(expect.stringContaining(`for ${name}`));
        expect(new Set(await heard(page))).toEqual(new Set(['error']));
        expect(await heard(ofAllowed)).not.toContain('error');
        for (const one of [page, ofAllowed]) await one.evaluate('window.stop()');
        hosts.browsing.errors.splice(0);
      },
    );
  });
});
