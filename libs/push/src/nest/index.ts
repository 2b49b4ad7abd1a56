export { PushModule, type PushModuleAsyncOptions } from './push.module.js';
export { PushWsAdapter } from './push-ws.adapter.js';
