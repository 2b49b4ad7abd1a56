export { PushError, type MessageIssue, type PushErrorCode } from './errors.js';
export { type PushOptions } from './options.js';
export {
  ownerOf,
  type Authentication,
  type Authenticator,
  type OwnerId,
  type Principal,
} from './principal.js';
export { type ConnectionId, type LeaseStore } from './lease.js';
export { MemoryLeaseStore } from './memory/lease-store.js';
export { Publisher, type Publishable } from './publisher.js';
export { type Cursor, type LogRecord, type MessageLog, type StampedMessage } from './log.js';
export { Connections, type OpenConnection } from './connections.js';
export { MemoryMessageLog } from './memory/log.js';
