export { VirtualClock } from './virtual-clock.js';
export { MemoryMessageLog, type MemoryMessageLogOptions } from '../memory/log.js';
export { MemoryLeaseStore } from '../memory/lease-store.js';
export {
  SseProbe,
  WsProbe,
  eventually,
  type Probe,
  type ProbeOptions,
  type Received,
} from '@crossfade/protocol/testing';
