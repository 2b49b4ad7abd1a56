import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@crossfade/protocol/testing';
import { OwnFolder, freePort } from '@crossfade/test-hosts';
import { afterEach, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Documented: a second start takes a few seconds. The test allows five times three. */
const BOUND_MS = 5 * 3000;

let running: ChildProcess[] = [];
afterEach(async () => {
  for (const child of running.filter(({ exitCode }) => exitCode === null)) {
    child.kill('SIGINT');
    await once(child, 'exit');
  }
  running = [];
});

function npmStart(env: Record<string, string>): { child: ChildProcess; said: () => string } {
  // The variables of the nx that runs this must not reach the nx that it starts.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('NX_'));
  const child = spawn(process.execPath, [join(root, 'tools/workspace/start.mjs')], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
  return { child, said: () => said };
}

it('prints where to look and how to log in, starts again within seconds, and ends cleanly', async () => {
  const port = await freePort();
  const env = { PORT: String(port), METRICS_PORT: '0', DATA_DIR: new OwnFolder('start').path };
  for (const bound of [120_000, BOUND_MS]) {
    const begun = Date.now();
    const { child, said } = npmStart(env);
    await eventually('welcome', () => said().includes('Crossfade is running') || undefined, bound);
    console.log(`npm start: up after ${Date.now() - begun} ms`);
    for (const text of [`127.0.0.1:${port}/next/`, 'admin@crossfade.test', 'tester', 'npm run send-error']) {
      expect(said()).toContain(text);
    }
    expect((await fetch(`http://127.0.0.1:${port}/next/`)).status).toBe(200);
    // npm passes a terminal's Ctrl-C on, so it comes twice.
    child.kill('SIGINT');
    child.kill('SIGINT');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  }
});

it('says in one sentence that its port is busy, and exits with 1', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { child, said } = npmStart({
    PORT: String(port),
    METRICS_PORT: '0',
    DATA_DIR: new OwnFolder('start').path,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  other.close();
  expect(code).toBe(1);
  expect(said()).toContain(
    `Port ${port} is in use; stop the program that uses it, or set PORT to another one.`,
  );
  expect(said()).not.toContain('    at ');
});
