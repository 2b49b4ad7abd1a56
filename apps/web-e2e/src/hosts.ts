import { GatewayHost, type GatewayOptions } from '@crossfade/test-hosts';
import { afterAll, beforeAll } from 'vitest';
import { Browsing } from './browser.ts';

/** What a suite runs against: a gateway and a browser of its own. */
export interface Hosts {
  gateway: GatewayHost;
  browsing: Browsing;
}

/** Starts both before the tests of the suite that calls it, and ends them after. Filled in once they run. */
export function startHosts(env: NonNullable<GatewayOptions['env']> = {}): Hosts {
  const hosts = {} as Hosts;
  beforeAll(async () => {
    hosts.gateway = await GatewayHost.start({ env });
    hosts.browsing = await Browsing.start();
  });
  afterAll(async () => {
    await hosts.browsing?.stop();
    await hosts.gateway?.stop();
  });
  return hosts;
}
