/*
 * Preloaded into every server of the benchmark: the memory left after this is in use, not garbage of opening
 * connections. A last-resort collection also returns the pages that V8 keeps for later, up to 150 MB of them.
 */
process.on('SIGUSR2', () => {
  const { gc } = globalThis as { gc?: (options: object) => void };
  gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
});
