/*
 * Preloaded into every server of the benchmark: what is in memory after this is held, not left over from opening
 * connections.
 */
process.on('SIGUSR2', () => {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
});
