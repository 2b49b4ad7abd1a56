import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { installPrograms } from './programs.mjs';
import { install, nx, root, run, runtime, step } from './steps.mjs';

/**
 * Runs every check, those that fail fastest first. Each check counts as one, each test as one.
 * Ends with what failed and the line `N passed, N failed`.
 */
let passed = 0;
const failures = [];

if (!(await install()) || !(await installPrograms())) {
  failures.push('Installation');
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

// A log's end is what is read first, and all that is left of a long one.
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

async function check(title, work) {
  if (await step(title, work)) passed += 1;
  else failures.push(title);
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
  const before = failures.length;
  const reports = results();
  for (const file of reports) {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
    passed += numPassedTests;
    for (const suite of testResults.filter(({ status }) => status === 'failed')) {
      const tests = suite.assertionResults.filter(({ status }) => status === 'failed');
      const name = relative(root, suite.name);
      for (const test of tests)
        failures.push(`${name} > ${test.fullName}: ${firstLine(test.failureMessages[0])}`);
      // A file that could not be loaded has no failed test.
      if (tests.length === 0) failures.push(`${name}: ${firstLine(suite.message)}`);
    }
  }
  const told = failures.length > before;
  if (code !== 0 && !told) failures.push(`${title}: nx ended with ${code}, and no suite says why`);
  if (code === 0 && reports.length === 0)
    failures.push(`${title}: no suite reported anything for "${target}"`);
}

function firstLine(text = '') {
  return stripVTControlCharacters(text).split('\n')[0].slice(0, 1000);
}

function results() {
  return ['apps', 'examples', 'libs', 'tools']
    .flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(root, folder, name, 'test-results.json')),
    )
    .filter((file) => existsSync(file));
}
