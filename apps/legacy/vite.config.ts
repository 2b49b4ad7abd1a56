/// <reference types="vitest/config" />
import { defaultClientConditions, defaultServerConditions, defineConfig } from 'vite';

export default defineConfig({
  resolve: { conditions: ['@crossfade/source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['@crossfade/source', ...defaultServerConditions] } },
  build: { outDir: 'dist', emptyOutDir: true },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:7110', ws: true } } },
  test: {
    include: ['src/**/*.spec.ts'],
    environment: 'jsdom',
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});
