import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, step } from './steps.mjs';

const postgresRoot = '/usr/lib/postgresql';

/** The programs that the tests need, how each is found, and the Debian package that has it. */
const programs = [
  {
    name: 'Chromium',
    apt: 'chromium',
    setting: 'CHROMIUM_PATH',
    isThere: () => onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'),
  },
  {
    name: 'Firefox',
    apt: 'firefox-esr',
    setting: 'FIREFOX_PATH',
    isThere: () => onPath('firefox-esr', 'firefox'),
  },
  {
    name: 'PostgreSQL (initdb and postgres)',
    apt: 'postgresql',
    setting: 'POSTGRES_BIN',
    isThere: () =>
      onPath('initdb') || versions().some((version) => existsSync(join(postgresRoot, version, 'bin/initdb'))),
  },
  {
    name: 'PgBouncer',
    apt: 'pgbouncer',
    setting: 'PGBOUNCER_PATH',
    isThere: () => onPath('pgbouncer'),
  },
  {
    // With it comes redis-cli. Sentinels are redis-server, too.
    name: 'Redis',
    apt: 'redis-server',
    isThere: () => onPath('redis-server') && onPath('redis-cli'),
  },
  {
    // For certificates of tests with TLS.
    name: 'openssl',
    apt: 'openssl',
    isThere: () => onPath('openssl'),
  },
  {
    name: 'nginx',
    apt: 'nginx-light',
    isThere: () => onPath('nginx'),
  },
  {
    name: 'HAProxy',
    apt: 'haproxy',
    isThere: () => onPath('haproxy'),
  },
  {
    name: 'Caddy',
    apt: 'caddy',
    isThere: () => onPath('caddy'),
  },
  {
    // With its compiler: a test runs a program from source.
    name: 'Java 17 (java and javac)',
    apt: 'openjdk-17-jdk-headless',
    isThere: () => onPath('java') && onPath('javac'),
  },
  {
    // For the test that sets the clock back, which works only on Linux.
    name: 'faketime',
    apt: 'faketime',
    isThere: () => process.platform !== 'linux' || onPath('faketime'),
  },
  {
    // For the test that pulls a cable, which works only on Linux.
    name: 'ip (iproute2)',
    apt: 'iproute2',
    isThere: () => process.platform !== 'linux' || onPath('ip'),
  },
];

/** Makes sure that the tests' programs exist; on Debian, as root, it installs them. */
export async function installPrograms() {
  if (missing().length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    const packages = missing().map(({ apt }) => apt);
    await step(`Installing ${packages.join(', ')}`, async () => {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      const updated = await run('apt-get', ['update', '-q'], { env });
      if (updated.code !== 0) return updated;
      return run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], { env });
    });
  }
  for (const { name, apt, setting } of missing()) {
    console.error(
      `The tests need ${name}: install it (Debian: apt-get install ${apt})` +
        (setting === undefined ? '.' : `, or set ${setting} to where it is.`),
    );
  }
  return missing().length === 0;
}

const missing = () =>
  programs.filter(
    ({ setting, isThere }) => (setting === undefined || process.env[setting] === undefined) && !isThere(),
  );

/** Debian's folder of programs for administrators need not be in a user's PATH. */
function onPath(...names) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return names.some((name) => folders.some((folder) => existsSync(join(folder, name))));
}

function versions() {
  return existsSync(postgresRoot) ? readdirSync(postgresRoot) : [];
}
