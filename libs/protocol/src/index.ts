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
export { everyone, organization, user, type Audience } from './audience.js';
export { effect, type Effect } from './effect.js';
export {
  catalogEntry,
  hasOwnEntry,
  type Catalog,
  type CatalogEntry,
  type Conflation,
  type DeliveryClass,
} from './catalog-entry.js';
export { control, isControlType, type ControlMessageOf, type ControlType } from './control.js';
export {
  decodeSseData,
  decodeWebSocketFrame,
  encodeSseData,
  encodeWebSocketFrame,
  readControl,
  type ControlMessage,
  type Envelope,
  type WebSocketFrame,
} from './envelope.js';
export { closeTable, shouldComeBack, type CloseReason } from './close.js';
export { encodeRetryAfter, refusalTable, type RefusalReason } from './refusal.js';
