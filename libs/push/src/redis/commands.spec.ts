import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { COMMANDS } from './server-check.js';

const folder = new URL('.', import.meta.url);
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && !/\.spec(-kit)?\.ts$/.test(name))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));

it('the start checks every command that a script runs or that is sent, and no other', () => {
  const used = sources.flatMap((source) => [
    ...source.matchAll(/redis\.p?call\('([A-Z]+)'/g),
    // The first word of a list that is sent, or of one that is sent a line later.
    ...source.matchAll(/\[\s*'([A-Z]{3,})',(?! 'tag'| 'limit'| 'sha'| 'return)/g),
  ]);
  // An option, and what is asked of Sentinels and of nodes of a Cluster.
  const others = ['COUNT', 'SENTINEL', 'CLUSTER'];
  const names = new Set(used.map(([, name = '']) => name).filter((name) => !others.includes(name)));
  const checked = new Set(COMMANDS.map(([name = '']) => name));
  expect([...names].filter((name) => !checked.has(name))).toEqual([]);
  // These are sent by the client, or by what sends scripts.
  const ofTheClient = ['PING', 'INFO'];
  expect([...checked].filter((name) => !names.has(name) && !ofTheClient.includes(name))).toEqual([]);
});
