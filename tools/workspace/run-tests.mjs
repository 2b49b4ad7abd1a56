import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installPrograms } from './programs.mjs';
import { install, nx, root, run, runtime, step } from './steps.mjs';

/**
 * Runs every check, those that fail fastest first. Each check counts as one, each test as one.
 * Ends with the line `N passed, N failed`.
 */
const counts = { passed: 0, failed: 0 };

if (!(await install()) || !(await installPrograms())) {
  counts.failed += 1;
} else {
  await check('Format', () => tool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']));
  await check('Build', () => nx(['run-many', '-t', 'build', '--outputStyle=static']));
  await check('Lint', () => nx(['run-many', '-t', 'lint', '--outputStyle=static']));
  await check('Types', () => nx(['run-many', '-t', 'typecheck', '--outputStyle=static']));
  await check('Unused files, exports and dependencies', async () => {
    // The app's tsconfig extends one that SvelteKit generates, which a cached build does not do.
    const synced = await tool('@sveltejs/kit/svelte-kit.js', ['sync'], join(root, 'apps/web'));
    return synced.code === 0 ? tool('knip/bin/knip.js', ['--no-progress']) : synced;
  });
  await suites('Unit and integration tests', 'test', []);
  // Against real hosts: never from the cache, and one after the other.
  await suites('End-to-end tests', 'e2e', ['--skip-nx-cache', '--parallel=1']);
}

console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

async function check(title, work) {
  counts[(await step(title, work)) ? 'passed' : 'failed'] += 1;
}

function tool(path, args, cwd = root) {
  return run(runtime(), [join(root, 'node_modules', path), ...args], { cwd });
}

/** Runs a target of all projects and adds up what its suites report. */
async function suites(title, target, args) {
  for (const file of results()) rmSync(file);
  console.log(`\n${title}`);
  const { code } = await nx(['run-many', '-t', target, '--outputStyle=static', '--nxBail=false', ...args], {
    show: true,
  });
  let failed = 0;
  for (const file of results()) {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(file, 'utf8'));
    counts.passed += numPassedTests;
    // A file that could not be loaded has no failed test.
    failed += numFailedTests > 0 ? numFailedTests : numFailedTestSuites;
  }
  if (code !== 0 && failed === 0) failed = 1;
  if (code === 0 && results().length === 0) {
    console.error(`No suite reported anything for "${target}".`);
    failed = 1;
  }
  counts.failed += failed;
}

function results() {
  return ['apps', 'examples', 'libs', 'tools']
    .flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(root, folder, name, 'test-results.json')),
    )
    .filter((file) => existsSync(file));
}
