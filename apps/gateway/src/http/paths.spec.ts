import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isRoute, spell } from './paths.js';

it.each([
  ['/', '/'],
  ['//', '/'],
  ['/api/v2/push/', '/api/v2/push'],
  ['//API//v2/Events//', '/API/v2/Events'],
  ['/api/v2/stacks/Ab%2FC/', '/api/v2/stacks/Ab%2FC'],
  ['/health//live/', '/health/live'],
  ['/Docs/', '/Docs'],
  ['/docs/start.js', '/docs/start.js'],
  // Folders of files keep what tells their pages where they are.
  ['/next/', '/next/'],
  ['//next//stacks//1//', '/next/stacks/1/'],
  ['/next', '/next'],
  ['/apis/', '/apis/'],
  ['/assets//A.js', '/assets/A.js'],
])('%s is written %s', (path, written) => {
  expect(spell(path)).toBe(written);
});

it('writes a path once and for all, changes nothing but slashes, and makes no route of a file', () => {
  const part = fc.constantFrom('/', '//', 'api', 'API', 'next', 'docs', 'health', 'a', 'B.js', '%2F');
  const paths = fc.array(part).map((parts) => `/${parts.join('')}`);
  fc.assert(
    fc.property(paths, (path) => {
      const written = spell(path);
      expect(spell(written)).toBe(written);
      expect(written.split('/').filter(Boolean)).toEqual(path.split('/').filter(Boolean));
      expect(isRoute(written)).toBe(isRoute(path.replace(/^\/+/, '/')));
    }),
  );
});
