import { ESLint } from 'eslint';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const eslint = new ESLint({ cwd: root });

/** The rules that report a text, as if a file had it. The file need not exist. */
async function lint(filePath, text) {
  return (await problemsOf(filePath, text)).map(({ ruleId }) => ruleId);
}

async function problemsOf(filePath, text) {
  const [result] = await eslint.lintText(text, { filePath: `${root}/${filePath}` });
  return result.messages;
}

const importing = (name) => `import * as it from '${name}';\nexport default it;\n`;

const boundary = '@nx/enforce-module-boundaries';

it.each([
  ['apps/web/src/wrong.ts', '@crossfade/push', boundary],
  ['apps/legacy/src/wrong.ts', '@crossfade/push/nest', boundary],
  ['libs/protocol/src/wrong.ts', '@crossfade/push', boundary],
  ['apps/gateway-e2e/src/wrong.ts', '@crossfade/push', boundary],
  ['apps/gateway/src/wrong.ts', '@crossfade/test-hosts', boundary],
  ['apps/gateway/src/wrong.ts', '../../../libs/push/src/hub.js', boundary],
  ['apps/gateway-e2e/src/wrong.ts', '../../gateway/src/process/settings.js', boundary],
  ['libs/push/src/wrong.ts', '@nestjs/common', 'no-restricted-imports'],
  ['libs/push/src/wrong.ts', 'rxjs', 'no-restricted-imports'],
  ['libs/push/src/wrong.ts', '@crossfade/protocol/catalog', 'no-restricted-imports'],
  ['libs/push/src/nest/wrong.ts', '@crossfade/protocol/catalog', 'no-restricted-imports'],
  ['libs/protocol/src/wrong.ts', './catalog/index.js', 'no-restricted-imports'],
  ['apps/gateway/src/database/wrong.ts', '../push/recipients.js', 'no-restricted-imports'],
  ['apps/gateway/src/access/wrong.ts', '../identity/accounts.js', 'no-restricted-imports'],
])('%s may not import %s', async (file, imported, rule) => {
  expect(await lint(file, importing(imported))).toContain(rule);
});

it.each([
  ['apps/web/src/right.ts', '@crossfade/protocol'],
  ['apps/gateway/src/right.ts', '@crossfade/push/nest'],
  ['apps/gateway-e2e/src/right.ts', '@crossfade/test-hosts'],
  ['libs/push/src/nest/right.ts', '@nestjs/common'],
  ['libs/push/src/right.spec.ts', '@crossfade/protocol/catalog'],
  ['apps/gateway/src/events/right.ts', '@crossfade/protocol/catalog'],
])('%s may import %s', async (file, imported) => {
  expect(await lint(file, importing(imported))).toEqual([]);
});

const circle = 'crossfade/no-import-circles';
const folderCircle = 'crossfade/no-folder-circles';

const circles = [
  ['libs/push/src', 'deadline.ts', './loop.js', 'loop.ts'],
  ['libs/push/src', 'deadline.ts', './suspension.js', 'suspension.ts → loop.ts'],
  ['apps/gateway/src', 'housekeeping.ts', './main.js', 'main.ts'],
  ['apps/gateway/src', 'health.controller.ts', './main.js', 'main.ts → app.module.ts'],
  ['tools/test-hosts/src', 'child.ts', './gateway.ts', 'gateway.ts'],
  ['tools/test-hosts/src', 'child.ts', './first-start.ts', 'first-start.ts → gateway.ts'],
].map(([folder, file, imported, through]) => {
  const names = [file, ...through.split(' → '), file].map((name) => `${folder}/${name}`);
  return { file: `${folder}/${file}`, imported, message: `closes a circle: ${names.join(' → ')}.` };
});

it.each(circles)(
  '$file may not import $imported, which leads back to it',
  async ({ file, imported, message }) => {
    expect(await problemsOf(file, importing(imported))).toContainEqual(
      expect.objectContaining({ ruleId: circle, message: expect.stringContaining(message) }),
    );
  },
);

it.each([
  ["import type * as it from './loop.js';\nexport type It = typeof it;\n"],
  ["import { type Loop } from './loop.js';\nexport type It = Loop;\n"],
  ["export type It = import('./loop.js').Loop;\n"],
  ["export type * from './loop.js';\n"],
  ["export const it = () => import('./loop.js');\n"],
])('a circle through %j is a circle', async (text) => {
  expect(await lint('libs/push/src/deadline.ts', text)).toContain(circle);
});

it('a component may not import a file that leads back to it', async () => {
  const text = `<script lang="ts">\n  import * as it from '../routes/+layout.svelte';\n</script>\n\n{it}\n`;
  expect(await problemsOf('apps/web/src/components/Header.svelte', text)).toContainEqual(
    expect.objectContaining({ ruleId: circle, line: 2 }),
  );
});

it('a folder may not import a folder that leads back to it, by other files', async () => {
  const rules = await lint('apps/gateway/src/database/wrong.ts', importing('../events/stacks.controller.js'));
  expect(rules).toContain(folderCircle);
  expect(rules).not.toContain(circle);
});

const lines = (count) => '// A line.\n'.repeat(count - 1).concat('export {};\n');

it.each(['libs/push/src/long.ts', 'apps/gateway-e2e/src/long.ts', 'tools/workspace/long.mjs'])(
  '%s may have 300 lines, comments among them, and no more',
  async (file) => {
    expect(await lint(file, lines(300))).toEqual([]);
    expect(await lint(file, lines(301))).toEqual(['max-lines']);
  },
);

it('a component may have 300 lines and no more', async () => {
  const file = 'apps/web/src/components/Long.svelte';
  expect(await lint(file, '<p>A line.</p>\n'.repeat(300))).toEqual([]);
  expect(await lint(file, '<p>A line.</p>\n'.repeat(301))).toEqual(['max-lines']);
});

it.each(['libs/push/src/long.spec.ts', 'libs/push/src/long.spec-kit.ts', 'apps/web-e2e/src/long.spec.ts'])(
  '%s may be as long as what it tests',
  async (file) => {
    expect(await lint(file, lines(301))).toEqual([]);
  },
);
