import { GatewayHost, type BrowserName, type GatewayOptions } from '@crossfade/test-hosts';
import { afterAll, beforeAll } from 'vitest';
import { Browsing } from './browser.ts';

/** What a suite runs against: a gateway and browsers of its own. */
export interface Hosts {
  gateway: GatewayHost;
  browsing: Browsing;
}

/** Starts them before the tests of the suite that calls it, and ends them after. Filled in once they run. */
export function startHosts(
  env: NonNullable<GatewayOptions['env']> = {},
  browsers?: readonly BrowserName[],
): Hosts {
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
