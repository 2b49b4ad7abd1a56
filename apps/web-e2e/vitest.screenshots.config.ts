import { defineConfig } from 'vitest/config';

/** `npm run screenshots`: writes what docs/screenshots shows. Not a test: its pictures are looked at by people. */
export default defineConfig({
  test: { include: ['src/screenshots.ts'], testTimeout: 300_000 },
});
