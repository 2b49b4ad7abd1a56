import { AsyncLocalStorage } from 'node:async_hooks';
import type { PublishingRequest } from '@crossfade/push';

/** What travels from a request with the messages that it publishes. Outside of a request, nothing does. */
export const publishingRequest = new AsyncLocalStorage<PublishingRequest>();
