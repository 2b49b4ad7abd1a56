import { ClusterClient } from './client-cluster.js';
import { nodeOptions, SingleClient } from './client-node.js';
import { SentinelClient } from './client-sentinel.js';
import type { Client, ClientOptions } from './client.js';

/** A client that is not connected yet. */
export function makeClient(options: ClientOptions): Client {
  const { address, name } = options;
  const settings = nodeOptions(address, name);
  switch (address.kind) {
    case 'single': {
      const [node = { host: '127.0.0.1', port: 6379 }] = address.nodes;
      return new SingleClient(node, settings, options);
    }
    case 'sentinel':
      return new SentinelClient(settings, options);
    case 'cluster':
      return new ClusterClient(settings, options);
  }
}
