export { GatewayHost, sampleToken, type GatewayOptions } from './gateway.ts';
export { PostgresHost, dropDatabase, freePort, newDatabase, runSql } from './postgres.ts';
export { ApiClient } from './api-client.ts';
export { LOAD_KINDS, sendLoad } from './load.ts';
export { type Probe, type ProbeOptions, type Received } from './probe.ts';
export { SseProbe } from './sse-probe.ts';
export { WebSocketProbe } from './websocket-probe.ts';
export { chromiumArguments, chromiumPath } from './chromium.ts';
export { eventually } from './child.ts';
