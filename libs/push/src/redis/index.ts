export { openRedis, isRedisPrefix, type Redis, type RedisOptions } from './open.js';
export {
  hostsOf,
  readRedisAddress,
  type AddressFault,
  type RedisAddress,
  type RedisNode,
} from './address.js';
export { RedisConnection, type RedisConnectionOptions } from './connection.js';
export { NotConnected, RedisFault } from './fault.js';
export { RedisMessageLog, type RedisMessageLogOptions } from './log.js';
export { RedisReplicas, type RedisReplicasOptions } from './replicas.js';
export { RedisLeaseStore, type RedisLeaseStoreOptions } from './lease-store.js';
