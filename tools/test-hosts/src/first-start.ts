import { join } from 'node:path';
import { AFTER_FIRST_START, GatewayHost } from './gateway.ts';
import { OwnFolder } from './keeper.ts';

/**
 * A global setup. A first start on the embedded database costs several seconds of processor time and leaves the same
 * files in every folder. So one gateway does it for the whole run, and `GatewayHost.start` begins with a copy. Node's
 * compile cache is kept, too.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const compiled = new OwnFolder('compiled');
  process.env['NODE_COMPILE_CACHE'] = compiled.path;
  const host = await GatewayHost.start();
  await host.end();
  process.env[AFTER_FIRST_START] = join(host.folder, 'data');
  return async () => {
    await host.stop();
    compiled.giveBack();
  };
}
