import { SseProbe, WsProbe } from '@crossfade/protocol/testing';

/** A stream of each transport, from another network namespace. Says so once both are connected, and stays. */
const [, , url = '', token = ''] = process.argv;
const probes = [await SseProbe.open(url, { token }), await WsProbe.open(url, { token })];
await Promise.all(probes.map((probe) => probe.message('Connected')));
console.log('connected');
