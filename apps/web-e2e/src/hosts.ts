import { GatewayHost, type BrowserName, type GatewayOptions } from '@crossfade/test-hosts';
import { afterAll, beforeAll } from 'vitest';
import { Browsing } from './browser.ts';

/** The hosts of a suite: its own gateway and browsers. */
export interface Hosts {
  gateway: GatewayHost;
  browsing: Browsing;
}

/** Starts them before the tests of the calling suite, and stops them afterwards. The fields are set once they run. */
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
