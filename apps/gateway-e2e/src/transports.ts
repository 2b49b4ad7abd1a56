import { SseProbe, WsProbe, type Probe, type ProbeOptions } from '@crossfade/protocol/testing';

/** Both transports, so that one suite proves both. */
export const transports: readonly {
  name: string;
  open: (url: string, options: ProbeOptions) => Promise<Probe>;
}[] = [
  { name: 'SSE', open: (url, options) => SseProbe.open(url, options) },
  { name: 'WebSocket', open: (url, options) => WsProbe.open(url, options) },
];
