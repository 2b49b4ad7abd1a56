/* Loaded before the gateway by watchdog.spec.ts: blocks its event loop after SIGUSR2. */
process.on('SIGUSR2', () => {
  // Blocks without using the processor: only the blocking counts.
  if (process.env.ATTACK_STILL === '1') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  for (;;);
});
