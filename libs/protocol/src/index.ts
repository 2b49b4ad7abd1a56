export {
  PUSH_PATH,
  PUSH_SETTINGS_PATH,
  SUBPROTOCOL,
  MAX_INBOUND_BYTES,
  SILENCE_INTERVALS,
  parameter,
  pushSettings,
  type PushSettings,
} from './endpoint.js';
export {
  ChangeType,
  type EntityChanged,
  type PlanChanged,
  type PlanOverage,
  type ReleaseNotification,
  type SystemNotification,
  type UserMembershipChanged,
} from './messages.js';
export { everyone, organization, user, type Audience } from './audience.js';
export { effect, type Effect } from './effect.js';
export {
  catalog,
  catalogEntry,
  type Catalog,
  type CatalogEntry,
  type Conflation,
  type DeliveryClass,
  type MessageOf,
  type MessageType,
} from './catalog.js';
export { control, isControlType, type ControlMessageOf, type ControlType } from './control.js';
export {
  decodeSseData,
  decodeWebSocketFrame,
  encodeSseData,
  encodeWebSocketFrame,
  readControl,
  readMessage,
  type ControlMessage,
  type Envelope,
  type Message,
  type WebSocketFrame,
} from './envelope.js';
export { closeTable, encodeRetryAfter, refusalTable, type CloseReason, type RefusalReason } from './close.js';
