import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DiskSpace, DiskFull } from './disk-space.js';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-room-'));

it('refuses below the reserve, and tells once of each change', () => {
  const heard: boolean[] = [];
  const room = (reserve: number) => new DiskSpace(folder, reserve, (isShort) => heard.push(isShort));
  const plenty = room(1);
  for (let look = 0; look < 3; look += 1) plenty.require();
  expect(heard).toEqual([]);
  const none = room(Number.MAX_SAFE_INTEGER);
  for (let look = 0; look < 3; look += 1) expect(() => none.require()).toThrow(DiskFull);
  expect(heard).toEqual([true]);
  expect(plenty.free).toBeGreaterThan(0);
});
