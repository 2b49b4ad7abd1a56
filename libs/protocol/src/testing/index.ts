export { Choices } from './choices.js';
export { eventually } from './eventually.js';
export { type Probe, type ProbeOptions, type Received } from './probe.js';
export { SseProbe } from './sse-probe.js';
export { WsProbe } from './ws-probe.js';
