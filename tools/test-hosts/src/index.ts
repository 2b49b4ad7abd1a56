export { GatewayHost, sampleToken, type GatewayOptions } from './gateway.ts';
export {
  PostgresHost,
  account,
  dropDatabase,
  newDatabase,
  postgresPrograms,
  runSql,
  startSql,
} from './postgres.ts';
export { freePort } from './ports.ts';
export { PgBouncerHost } from './pgbouncer.ts';
export { RedisHost, type RedisHostOptions } from './redis.ts';
export { RedisClusterHost } from './redis-cluster.ts';
export { TwoReplicas, type TwoReplicasOptions } from './two-replicas.ts';
export { TcpProxy } from './tcp-proxy.ts';
export { ProxyHost, type ProxyProgram } from './proxy.ts';
export { nginx, nginxProgram } from './nginx.ts';
export { haproxy } from './haproxy.ts';
export { caddy } from './caddy.ts';
export { SmallDisk } from './small-disk.ts';
export { ApiClient } from './api-client.ts';
export { invite, makeMember, secretOf, type NewInvitation } from './members.ts';
export { inLetters } from './in-letters.ts';
export { LOAD_EVENTS, LOAD_KINDS, sendLoad } from './load.ts';
export { StreamLoad, type Delays, type StreamReport } from './stream-load.ts';
export { BrowserHost, browserNames, type BrowserName } from './browser.ts';
export { findProgram } from './program.ts';
export { endChild, hourWithRoom } from './child.ts';
export { OwnFolder } from './keeper.ts';
