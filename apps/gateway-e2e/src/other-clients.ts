import { spawn } from 'node:child_process';
import { decodeSseData, decodeWebSocketFrame, PUSH_PATH, type Envelope } from '@crossfade/protocol';
import { BrowserHost, browserNames, type BrowserName } from '@crossfade/test-hosts';
import { fetchEventSource } from '@microsoft/fetch-event-source';
import { EventSourcePolyfill } from 'event-source-polyfill';
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { JSDOM, VirtualConsole } from 'jsdom';
import reactNative from 'react-native-sse';
import reconnecting from 'reconnecting-websocket';

// Their types describe an ES module, but the loaded value is the class itself.
const ReconnectingWebSocket = reconnecting as unknown as typeof reconnecting.default;
const ReactNativeEventSource = reactNative as unknown as typeof reactNative.default;

/** Called with the data of each event. Undefined: an event without data. */
type Hear = (id: string | undefined, envelope: Envelope | undefined) => void;

/** Another project's client, used as its documentation says. */
export interface OtherClient {
  readonly name: string;
  /** The status that it expects of a refusal, if not the usual one. */
  readonly refusedAs?: number;
  /** Starts it, and returns a function that stops it. */
  open(url: string, token: string, hear: Hear): Promise<() => Promise<void> | void>;
}

const endpoint = (url: string, token: string): string =>
  `${url}${PUSH_PATH}?${new URLSearchParams({ access_token: token })}`;

const hearData = (hear: Hear, id: string | undefined, data: string): void => hear(id, decodeSseData(data));

const browsers = new Map<BrowserName, Promise<BrowserHost>>();

/** One browser of each kind for all pages, until `stopBrowsers`. */
function browserOf(name: BrowserName): Promise<BrowserHost> {
  const host = browsers.get(name) ?? BrowserHost.start(name);
  browsers.set(name, host);
  return host;
}

export async function stopBrowsers(): Promise<void> {
  await Promise.all([...browsers.values()].map(async (host) => (await host).stop()));
  browsers.clear();
}

async function openInBrowser(name: BrowserName, url: string, address: string, hear: Hear) {
  const context = await (await browserOf(name)).browser.newContext();
  const page = await context.newPage();
  await page.exposeFunction('hear', (id: string, data: string) => hearData(hear, id, data));
  // The lightest answer of this origin whose policy lets a page open streams. `/docs` itself would draw the whole API.
  await page.goto(`${url}/docs/start.js`);
  await page.evaluate(`
    window.source = new EventSource(${JSON.stringify(address)});
    window.source.onmessage = ({ lastEventId, data }) => window.hear(lastEventId, data);
  `);
  return () => context.close();
}

export const otherClients: readonly OtherClient[] = [
  ...browserNames.flatMap((name): OtherClient[] => [
    {
      name: `EventSource of ${name}`,
      open: (url, token, hear) => openInBrowser(name, url, endpoint(url, token), hear),
    },
    {
      name: `${name}, with \`?refusal=stream\``,
      refusedAs: 200,
      open: (url, token, hear) => openInBrowser(name, url, `${endpoint(url, token)}&refusal=stream`, hear),
    },
  ]),
  {
    name: 'eventsource 5.1.5',
    async open(url, token, hear) {
      const source = new EventSource(`${url}${PUSH_PATH}`, {
        fetch: (input, init) =>
          fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
      });
      source.onmessage = ({ lastEventId, data }) => hearData(hear, lastEventId, String(data));
      return () => source.close();
    },
  },
  {
    name: 'event-source-polyfill 1.0.31',
    async open(url, token, hear) {
      const source = new EventSourcePolyfill(`${url}${PUSH_PATH}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      source.onmessage = ({ lastEventId, data }) => hearData(hear, lastEventId, String(data));
      return () => source.close();
    },
  },
  {
    name: 'react-native-sse 1.2.1',
    async open(url, token, hear) {
      // React Native has its own XMLHttpRequest; here, a page's does what the client needs.
      const { window } = new JSDOM('', { url, virtualConsole: new VirtualConsole() });
      Object.assign(globalThis, { XMLHttpRequest: window.XMLHttpRequest });
      const source = new ReactNativeEventSource(`${url}${PUSH_PATH}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      source.addEventListener('message', ({ lastEventId, data }) =>
        hearData(hear, lastEventId ?? undefined, data ?? ''),
      );
      return () => {
        source.close();
        window.close();
      };
    },
  },
  {
    name: '@microsoft/fetch-event-source 2.0.1',
    async open(url, token, hear) {
      // It is made for pages: it takes timers and fetch from `window`, and asks `document` whether it is visible.
      Object.assign(globalThis, { window: globalThis, document: new EventTarget() });
      const stop = new AbortController();
      fetchEventSource(`${url}${PUSH_PATH}`, {
        headers: { Authorization: `Bearer ${token}` },
        signal: stop.signal,
        openWhenHidden: true,
        onmessage: ({ id, data }) => hearData(hear, id, data),
      }).catch(() => undefined);
      return () => stop.abort();
    },
  },
  {
    name: 'eventsource-client 1.2.0',
    async open(url, token, hear) {
      const source = createEventSource({
        url: `${url}${PUSH_PATH}`,
        headers: { Authorization: `Bearer ${token}` },
        onMessage: ({ id, data }) => hearData(hear, id, data),
      });
      return () => source.close();
    },
  },
  {
    name: 'reconnecting-websocket 4.4.0',
    async open(url, token, hear) {
      let cursor: string | undefined;
      // It has no cursors; its URL may be a function, and so can carry ours.
      const address = () =>
        `${endpoint(url, token).replace(/^http/, 'ws')}${cursor === undefined ? '' : `&last_event_id=${cursor}`}`;
      const socket = new ReconnectingWebSocket(address, [], { WebSocket, minReconnectionDelay: 1000 });
      socket.onmessage = ({ data }: { data: unknown }) => {
        const frame = decodeWebSocketFrame(String(data));
        cursor = frame?.id ?? cursor;
        if (frame?.envelope !== undefined) hear(frame.id, frame.envelope);
      };
      return () => socket.close();
    },
  },
  {
    name: 'curl --retry',
    async open(url, token, hear) {
      const child = spawn(
        'curl',
        ['-sN', '--retry', '5', '-H', `Authorization: Bearer ${token}`, `${url}${PUSH_PATH}`],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      let rest = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line.startsWith('data: ')) hearData(hear, undefined, line.slice(6));
      });
      return () => void child.kill();
    },
  },
];
