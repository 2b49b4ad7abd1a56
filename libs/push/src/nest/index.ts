export { PushModule, type PushModuleExtras } from './push.module.js';
export { PushWsAdapter, type PushWsAdapterOptions } from './push-ws.adapter.js';
export { isPushRoute } from './push-route.js';
export { plainPath } from './request-target.js';
