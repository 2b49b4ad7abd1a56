import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const isWindows = process.platform === 'win32';
const bin = join(root, 'node_modules', '.bin');

/** The environment of every child: the workspace's programs come first, its Node among them. */
export const environment = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NX_TUI: 'false' };
// npm exports its settings to its children; a nested npm would take this one for the user's.
delete environment.npm_config_loglevel;

/** The Node of the lock file if this platform has one, else the running one. */
export function runtime() {
  const { platform, arch } = process;
  const name = `node-${isWindows ? 'win' : platform}-${arch}`;
  const path = join(root, 'node_modules', name, 'bin', isWindows ? 'node.exe' : 'node');
  return existsSync(path) ? path : process.execPath;
}

/**
 * Runs a command. `show`: its output goes to the terminal; otherwise the caller gets it.
 * Never rejects: a command that cannot be started has `code` 1.
 */
export function run(command, args, { show = false, cwd = root, env = environment } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Runs npm without a shell: the npm that runs this process, else the one that came with Node. */
function npm(args, options) {
  const cli = process.env.npm_execpath;
  if (cli !== undefined && /npm-cli\.c?js$/.test(cli)) return run(process.execPath, [cli, ...args], options);
  return isWindows ? run('cmd.exe', ['/d', '/s', '/c', 'npm', ...args], options) : run('npm', args, options);
}

/** Runs nx on the lock file's Node. */
export function nx(args, options) {
  return run(runtime(), [join(root, 'node_modules', 'nx', 'dist', 'bin', 'nx.js'), ...args], options);
}

/** Prints a step and how long it took, and the step's output if it fails. */
export async function step(title, work) {
  const begun = Date.now();
  const seconds = () => `${((Date.now() - begun) / 1000).toFixed(1)} s`;
  const live = process.stdout.isTTY;
  const draw = () => process.stdout.write(`\r${title} … ${seconds()} `);
  process.stdout.write(`${title} …${live ? '' : '\n'}`);
  const timer = live ? setInterval(draw, 500) : undefined;
  const { code, output } = await work();
  clearInterval(timer);
  if (live) process.stdout.write('\r');
  console.log(`${title}: ${code === 0 ? 'done' : 'failed'} in ${seconds()}  `);
  if (code !== 0 && output) console.error(output);
  return code === 0;
}

/** Installs the packages of the lock file, unless they are installed. */
export async function install() {
  if (isInstalled()) return true;
  const done = await step('Installing packages (a minute or two, once)', () =>
    npm(['ci', '--no-audit', '--no-fund']),
  );
  if (!done)
    console.error(
      'The packages could not be installed; see above, and check the network and the npm registry.',
    );
  return done;
}

/** Compares the lock file with npm's record of what is installed, which npm writes when it is done. */
function isInstalled() {
  try {
    const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
    const there = read('node_modules/.package-lock.json');
    return Object.entries(read('package-lock.json'))
      .filter(([path]) => path.includes('node_modules/'))
      .every(([path, { version, optional, devOptional }]) =>
        path in there ? there[path].version === version : optional || devOptional,
      );
  } catch {
    return false;
  }
}
