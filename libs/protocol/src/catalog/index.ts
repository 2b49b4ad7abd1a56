export { catalog, type MessageOf, type MessageType } from './catalog.js';
export { readMessage, type Message } from './read-message.js';
export {
  ChangeType,
  type EntityChanged,
  type PlanChanged,
  type PlanOverage,
  type ReleaseNotification,
  type SystemNotification,
  type UserMembershipChanged,
} from './messages.js';
