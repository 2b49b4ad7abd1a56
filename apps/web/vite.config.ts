/// <reference types="vitest/config" />
import { sveltekit } from '@sveltejs/kit/vite';
import adapter from '@sveltejs/adapter-static';
import tailwindcss from '@tailwindcss/vite';
import { defaultClientConditions, defaultServerConditions, defineConfig } from 'vite';

const gateway = process.env['GATEWAY_URL'] ?? 'http://127.0.0.1:7110';

export default defineConfig({
  resolve: { conditions: ['@crossfade/source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['@crossfade/source', ...defaultServerConditions] } },
  plugins: [
    tailwindcss(),
    sveltekit({ adapter: adapter({ fallback: 'index.html' }), paths: { base: '/next' } }),
  ],
  server: { proxy: { '/api': { target: gateway, ws: true } } },
  test: {
    include: ['src/**/*.spec.ts'],
    environment: 'node',
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});
