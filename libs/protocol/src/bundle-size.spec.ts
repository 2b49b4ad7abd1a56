import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { expect, it } from 'vitest';

/** Stated in PROTOCOL.md. A test allows five times that. */
const STATED_BYTES = 7700;

const entryOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const virtual = '\0everything-a-browser-client-uses';

it('is small in a browser', async () => {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'client',
        resolveId: (id) => (id === 'client' ? virtual : undefined),
        load: (id) =>
          id === virtual
            ? `export { decodeSseData, decodeWebSocketFrame, readControl, PUSH_PATH, parameter } from ${JSON.stringify(entryOf('index.ts'))};
               export { readMessage } from ${JSON.stringify(entryOf('catalog/index.ts'))};`
            : undefined,
      },
    ],
    build: {
      write: false,
      minify: true,
      rolldownOptions: { input: 'client', preserveEntrySignatures: 'strict', output: { format: 'es' } },
    },
  });
  const [output] = Array.isArray(built) ? built : [built];
  if (output === undefined || !('output' in output)) throw new Error('nothing was built');
  const code = output.output.map((chunk) => ('code' in chunk ? chunk.code : '')).join('');
  const bytes = gzipSync(code).length;
  console.log(`@crossfade/protocol in a browser: ${code.length} bytes, ${bytes} gzipped`);
  expect(code).toContain('UserMembershipChanged');
  expect(bytes).toBeLessThan(5 * STATED_BYTES);
});
