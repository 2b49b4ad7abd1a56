import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost } from '@crossfade/test-hosts';

/*
 * Runs in its own network namespace: a gateway here, two clients in another namespace, and a cable between them that is
 * pulled. Prints how long the gateway took to notice, in milliseconds.
 */

const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' });
const other = spawn('unshare', ['-n', 'sleep', '300']);
const there = (...words: string[]) => ['-t', String(other.pid), '-n', ...words];
await new Promise((resolve) => setTimeout(resolve, 500));

ip('link', 'set', 'lo', 'up');
ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
ip('link', 'set', 'far', 'netns', String(other.pid));
ip('addr', 'add', '10.9.0.1/24', 'dev', 'near');
ip('link', 'set', 'near', 'up');
execFileSync('nsenter', there('ip', 'addr', 'add', '10.9.0.2/24', 'dev', 'far'));
execFileSync('nsenter', there('ip', 'link', 'set', 'far', 'up'));

const host = await GatewayHost.start({
  env: { HOST: '10.9.0.1', PUSH_KEEP_ALIVE_SECONDS: '1', PUSH_STALL_SECONDS: '3' },
});
const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
const clients = spawn(
  'nsenter',
  there(
    process.execPath,
    '--experimental-transform-types',
    '--no-warnings',
    fileURLToPath(new URL('./vanished.clients.ts', import.meta.url)),
    host.url,
    admin.token ?? '',
  ),
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const streams = async () => (await admin.json<unknown[]>('GET', '/push/connections')).length;
await new Promise((resolve) => clients.stdout.once('data', resolve));
if ((await streams()) !== 2) throw new Error('the clients are not connected');
// Long enough to show that quiet streams stay open while nothing happens.
await new Promise((resolve) => setTimeout(resolve, 6000));
if ((await streams()) !== 2) throw new Error('a healthy stream ended');

execFileSync('nsenter', there('ip', 'link', 'set', 'far', 'down'));
const pulled = Date.now();
await eventually('end of both streams', async () => ((await streams()) === 0 ? true : undefined), 60_000);
// As text, since Node prints numbers in color if colors are forced.
console.log(String(Date.now() - pulled));
clients.kill('SIGKILL');
other.kill('SIGKILL');
await host.stop();
process.exit(0);
