export { GatewayHost, sampleToken, type GatewayOptions } from './gateway.ts';
export { PostgresHost, dropDatabase, freePort, newDatabase, runSql } from './postgres.ts';
export { ApiClient } from './api-client.ts';
export { invite, makeMember, secretOf, type NewInvitation } from './members.ts';
export { LOAD_KINDS, sendLoad } from './load.ts';
export { StreamLoad, type Delays, type StreamReport } from './stream-load.ts';
export { chromiumArguments, chromiumPath } from './chromium.ts';
export { hourWithRoom } from './child.ts';
export { OwnFolder } from './keeper.ts';
