import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { environment, install, nx, root, runtime, step } from './steps.mjs';

/** The same signal twice within this time counts once: a terminal sends Ctrl-C to npm, too, which passes it on. */
const SAME_SIGNAL_MS = 500;

const build = () => nx(['run-many', '-t', 'build', '--outputStyle=static']);

if ((await install()) && (await step('Building the gateway and both apps', build))) start();
else process.exitCode = 1;

function start() {
  const isPosix = process.platform !== 'win32';
  const gateway = spawn(
    runtime(),
    [
      '--enable-source-maps',
      '--disable-warning=ExperimentalWarning',
      join(root, 'apps/gateway/dist/main.js'),
    ],
    {
      cwd: root,
      env: { SAMPLE_DATA: 'true', LOG_LEVEL: 'warn', ...environment },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      // In its own process group, so that a terminal's Ctrl-C reaches it once, through this process.
      detached: isPosix,
    },
  );
  gateway.on('message', ({ ready }) => {
    if (ready !== undefined) console.log(welcome(ready));
  });
  gateway.on('exit', (code) => (process.exitCode = code ?? 1));
  let passedOn = 0;
  const passOn = (signal) => {
    if (Date.now() - passedOn < SAME_SIGNAL_MS) return;
    passedOn = Date.now();
    if (isPosix) gateway.kill(signal);
  };
  process.on('SIGINT', passOn);
  process.on('SIGTERM', passOn);
}

function welcome(url) {
  const port = new URL(url).port;
  const target = port === '7110' ? '' : ` -- --server ${url}`;
  const samples =
    (process.env.SAMPLE_DATA ?? 'true') === 'false'
      ? ''
      : `
  Sign in with             admin@crossfade.test   password: tester
                     or    member@crossfade.test  password: tester

  Send a real error, from another terminal in this folder:

    npm run send-error${target}
`;
  return `
Crossfade is running. Ctrl-C ends it.

  Modern app (SSE)         ${url}/next/
  Legacy app (WebSocket)   ${url}/
  REST API, described      ${url}/docs
${samples}`;
}
