import { SseProbe, WsProbe } from '@crossfade/protocol/testing';

/** Opens a stream on each transport from another network namespace, prints when both are connected, and stays. */
const [, , url = '', token = ''] = process.argv;
const probes = [await SseProbe.open(url, { token }), await WsProbe.open(url, { token })];
await Promise.all(probes.map((probe) => probe.message('Connected')));
console.log('connected');
