// Sends a real error with an unchanged client library. Usage: npm run send-error [-- KIND] [-- --server URL]
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { NodeExceptionlessClient } from '@exceptionless/node';

const kinds = {
  checkout() {
    const cart = { items: undefined };
    return cart.items.length;
  },
  payment() {
    throw new RangeError(`Card declined: amount ${Math.round(Math.random() * 10_000)} is over the limit`);
  },
  search() {
    return JSON.parse('{"query": ');
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    server: { type: 'string', default: 'http://127.0.0.1:7110' },
    token: { type: 'string', default: 'demo-storefront-token-0000000000000000' },
  },
});
const [kind = 'checkout'] = positionals;
if (!Object.hasOwn(kinds, kind)) {
  console.error(`There is no kind "${kind}"; choose one of ${Object.keys(kinds).join(', ')}.`);
  process.exit(1);
}

// The library makes a folder for its settings in the working directory.
process.chdir(tmpdir());

const client = new NodeExceptionlessClient();
await client.startup((config) => {
  config.serverUrl = values.server;
  config.apiKey = values.token;
});

let status;
client.config.services.queue.onEventsPosted((_events, response) => (status = response.status));
try {
  kinds[kind]();
} catch (error) {
  await client.submitException(error);
  await client.processQueue();
  console.log(
    status === 202
      ? `Sent: ${error.name}: ${error.message}`
      : `Not sent: ${values.server} ${status === undefined ? 'cannot be reached; is "npm start" running?' : `answered ${status}.`}`,
  );
}
process.exit(status === 202 ? 0 : 1);
