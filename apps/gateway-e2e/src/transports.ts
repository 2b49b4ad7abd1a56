import { SseProbe, WebSocketProbe, type Probe, type ProbeOptions } from '@crossfade/test-hosts';

/** Both transports, so that one suite proves both. */
export const transports: readonly {
  name: string;
  open: (url: string, options: ProbeOptions) => Promise<Probe>;
}[] = [
  { name: 'SSE', open: (url, options) => SseProbe.open(url, options) },
  { name: 'WebSocket', open: (url, options) => WebSocketProbe.open(url, options) },
];
