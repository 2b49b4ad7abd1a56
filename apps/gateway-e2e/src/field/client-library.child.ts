import { NodeExceptionlessClient } from '@exceptionless/node';
import { ExceptionlessClient } from 'exceptionless';
import type { Order, Report } from './client-library.ts';

/*
 * An unchanged client library, used as its documentation says, in its own process, since each listens to the whole
 * process. It describes an event before it sends its queue, which has the event.
 */

/** `@exceptionless/node` 3. */
async function modern({ url, token, reference, identity }: Order): Promise<Report> {
  const client = new NodeExceptionlessClient();
  const errors: string[] = [];
  await client.startup((config) => {
    config.serverUrl = url;
    config.apiKey = token;
    config.setUserIdentity(identity);
    config.useSessions();
    config.services.log.error = (message) => void errors.push(message);
  });
  const posted: number[] = [];
  const { queue } = client.config.services;
  queue.onEventsPosted((_events, { status }) => Promise.resolve(void posted.push(status)));
  await client.createException(new Error('Told of before it came')).setReferenceId(reference).submit();
  await client.updateUserEmailAndDescription(reference, 'jane@example.com', 'It broke.');
  await client.submitSessionHeartbeat();
  await client.processQueue();
  await client.submitSessionEnd();
  const { _queue: left } = queue as unknown as { _queue: readonly unknown[] };
  return { posted, left: left.length, errors, settings: client.config.settingsVersion };
}

/** `exceptionless` 1: Basic authentication, and the whole address in the request line. */
async function old({ url, token, reference, identity }: Order): Promise<Report> {
  const client = ExceptionlessClient.default;
  const { config } = client;
  const errors: string[] = [];
  const silent = (): void => undefined;
  config.log = { trace: silent, info: silent, warn: silent, error: (text) => void errors.push(text) };
  config.apiKey = token;
  config.serverUrl = url;
  config.setUserIdentity(identity);
  config.useSessions();
  const posted: number[] = [];
  const done = (act: (callback: () => void) => void) => new Promise<void>((resolve) => act(() => resolve()));
  const fault = client.createException(new Error('Told of before it came')).setReferenceId(reference);
  await done((callback) => client.submitSessionStart(callback));
  await done((callback) => fault.submit(callback));
  await done((callback) => client.submitLog('app', 'A line of a log', 'Info', callback));
  await done((callback) => client.submitFeatureUsage('search', callback));
  await done((callback) =>
    client.updateUserEmailAndDescription(reference, 'jane@example.com', 'It broke.', callback),
  );
  client.submitSessionHeartbeat(identity);
  await done((callback) => {
    config.queue.onEventsPosted((_events, { statusCode }) => {
      posted.push(statusCode);
      callback();
    });
    config.queue.process();
  });
  client.submitSessionEnd(identity);
  // The last events are sent by a child process, while this one waits.
  process.once('disconnect', () => {
    client.submitLog('app', 'The last words', 'Info');
    process.exit();
  });
  const [settings] = config.storage.settings.get();
  const { version } = settings?.value as { version: number };
  return { posted, left: config.storage.queue.get().length, errors, settings: version };
}

const libraries = { modern, old };

// Keeps the channel open, so that it lives until it is told to end.
process.on('message', (order: Order) => {
  void libraries[order.library](order).then((report) => process.send?.(report));
});
