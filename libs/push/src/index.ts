export { createPush, type Push } from './push.js';
export { type PushLogger, type PushOptions } from './options.js';
export {
  ownerOf,
  type Authentication,
  type Authenticator,
  type OwnerId,
  type Principal,
} from './principal.js';
export { PushPublisher, type Prepared, type Publishable, type PublishingRequest } from './publisher.js';
export { PushError, type MessageIssue, type PushErrorCode } from './errors.js';
export {
  type Cursor,
  type Follower,
  type Hole,
  type HoleKind,
  type Lag,
  type LogRecord,
  type LogStart,
  type MessageLog,
  type Offset,
  type Position,
  type StampedMessage,
} from './log.js';
export { MemoryMessageLog, type MemoryMessageLogOptions } from './memory/log.js';
export { type Journal, type JournalEntry, type OpenJournal, type SharedJournal } from './journal.js';
export {
  type Acquired,
  type ConnectionId,
  type HeldLease,
  type LeaseHolders,
  type LeaseLoss,
  type LeaseOwner,
  type LeaseStore,
  type LeaseStoreEnvironment,
} from './lease.js';
export { MemoryLeaseStore } from './memory/lease-store.js';
export { Connections, type ConnectionFilter, type OpenConnection } from './connections.js';
export { Fleet, MOST_LISTED, type FleetConnections } from './fleet.js';
export { type Answer, type Answers, type Replicas } from './replicas.js';
export { type Count, type Limiter, type MakeLimiter } from './limiter.js';
export { LoneReplica } from './memory/replicas.js';
export { memoryLimiter } from './memory/limiter.js';
export { isAllowedOrigin } from './origin.js';
export { systemClock, type Clock } from './clock.js';
export { DeadlineError, withDeadline } from './deadline.js';
export { Loop, type LoopOptions } from './loop.js';
export { LogSampler } from './log-sampler.js';
