import { GatewayHost, type BrowserName, type GatewayOptions } from '@crossfade/test-hosts';
import { afterAll, beforeAll } from 'vitest';
import { Browsing, type App } from './browser.ts';
import { startReplicas, type Replicas } from './replicas.ts';

/** Settings of the gateways. */
type Environment = NonNullable<GatewayOptions['env']>;

/** The hosts of a suite: its own gateway and browsers. */
export interface Hosts {
  gateway: GatewayHost;
  browsing: Browsing;
}

/** The hosts of a suite about delivery: each app is opened from a replica of its own. */
export interface ReplicatedHosts {
  replicas: Replicas;
  browsing: Browsing;
  address(app: App): string;
}

/** Starts them before the tests of the calling suite, and stops them afterwards. The fields are set once they run. */
export function startHosts(env: Environment = {}, browsers?: readonly BrowserName[]): Hosts {
  const hosts = {} as Hosts;
  beforeAll(async () => {
    [hosts.gateway, hosts.browsing] = await Promise.all([
      GatewayHost.start({ env }),
      Browsing.start(browsers),
    ]);
  });
  afterAll(async () => {
    await hosts.browsing?.stop();
    await hosts.gateway?.stop();
  });
  return hosts;
}

/** The same with three replicas instead of one gateway. */
export function startReplicatedHosts(
  env: Environment = {},
  browsers?: readonly BrowserName[],
): ReplicatedHosts {
  const hosts = {
    address: ({ name, path }) => hosts.replicas[name].url + path,
  } as ReplicatedHosts;
  beforeAll(async () => {
    [hosts.replicas, hosts.browsing] = await Promise.all([startReplicas(env), Browsing.start(browsers)]);
  });
  afterAll(async () => {
    await hosts.browsing?.stop();
    await Promise.all(Object.values(hosts.replicas ?? {}).map((replica) => replica.stop()));
  });
  return hosts;
}
