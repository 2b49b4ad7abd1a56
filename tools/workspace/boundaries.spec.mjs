import { ESLint } from 'eslint';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const eslint = new ESLint({ cwd: root });

/** What the lint says of one import in a file that is not there. */
async function lint(filePath, imported) {
  const [result] = await eslint.lintText(`import * as it from '${imported}';\nexport default it;\n`, {
    filePath: `${root}/${filePath}`,
  });
  return result.messages.map(({ ruleId }) => ruleId);
}

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
])('%s may not import %s', async (file, imported, rule) => {
  expect(await lint(file, imported)).toContain(rule);
});

it.each([
  ['apps/web/src/right.ts', '@crossfade/protocol'],
  ['apps/gateway/src/right.ts', '@crossfade/push/nest'],
  ['apps/gateway-e2e/src/right.ts', '@crossfade/test-hosts'],
  ['libs/push/src/nest/right.ts', '@nestjs/common'],
])('%s may import %s', async (file, imported) => {
  expect(await lint(file, imported)).toEqual([]);
});
