export { openRedis, isRedisPrefix } from './open.js';
export type { Redis, RedisOptions } from './redis.js';
export {
  hostsOf,
  readRedisAddress,
  type AddressFault,
  type RedisAddress,
  type RedisNode,
} from './address.js';
export type { RedisConnection, RedisConnectionOptions } from './connection.js';
export { NotConnected, RedisFault } from './fault.js';
export { RedisMessageLog, type RedisMessageLogOptions } from './log.js';
export { RedisReplicas, type RedisReplicasOptions } from './replicas.js';
export { RedisLeaseStore, type RedisLeaseStoreOptions } from './lease-store.js';
