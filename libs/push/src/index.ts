export { PushError, type MessageIssue, type PushErrorCode } from './errors.js';
export { type PushOptions } from './options.js';
export { isAllowedOrigin } from './origin.js';
export { systemClock, type Clock } from './clock.js';
export { DeadlineError, withDeadline } from './deadline.js';
export { Loop, type LoopOptions } from './loop.js';
export { LogBudget } from './log-budget.js';
export {
  ownerOf,
  type Authentication,
  type Authenticator,
  type OwnerId,
  type Principal,
} from './principal.js';
export { type Acquired, type ConnectionId, type LeaseOwner, type LeaseStore } from './lease.js';
export { MemoryLeaseStore } from './memory/lease-store.js';
export { PushPublisher, type Prepared, type Publishable } from './publisher.js';
export {
  type Cursor,
  type LogRecord,
  type LogStart,
  type MessageLog,
  type Place,
  type Position,
  type StampedMessage,
} from './log.js';
export { type Journal, type JournalEntry, type OpenJournal } from './journal.js';
export { Connections, type OpenConnection } from './connections.js';
export { MemoryMessageLog, type MemoryMessageLogOptions } from './memory/log.js';
