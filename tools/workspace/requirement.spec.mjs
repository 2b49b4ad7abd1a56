import { expect, it } from 'vitest';
import { requirement } from './requirement.mjs';

it.each([
  ['v20.19.0', 'linux', 'npm/10.8.2 node/v20.19.0 linux x64'],
  ['v24.1.0', 'win32', 'npm/11.0.0 node/v24.1.0 win32 x64'],
  ['v24.9.0', 'darwin', undefined],
])('runs on %s, %s, %s', (node, platform, npm) => {
  expect(requirement(node, platform, npm)).toBeUndefined();
});

it.each([
  ['v20.18.3', 'linux', undefined, 'Node 20.19'],
  ['v12.22.0', 'linux', undefined, 'Node 20.19'],
  ['v24.8.0', 'darwin', undefined, 'Node 24.9'],
  ['v22.17.0', 'darwin', undefined, 'Node 24.9'],
  ['v22.0.0', 'linux', 'npm/9.9.4 node/v22.0.0 linux x64', 'npm 10'],
])('names in one sentence what %s, %s, %s lacks', (node, platform, npm, said) => {
  const sentence = requirement(node, platform, npm);
  expect(sentence).toContain(said);
  expect(sentence).toMatch(/^[^\n]+\.$/);
});
