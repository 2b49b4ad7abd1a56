/*
 * Preloaded into every server of the benchmark: what is in memory after this is held, not left over from opening
 * connections. A collection of the last resort also gives back the pages that V8 keeps for later, up to 150 MB of them.
 */
process.on('SIGUSR2', () => {
  const { gc } = globalThis as { gc?: (options: object) => void };
  gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
});
