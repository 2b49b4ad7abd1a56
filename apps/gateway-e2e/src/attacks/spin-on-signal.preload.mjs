/* Loaded before the gateway by watchdog.spec.ts: its event loop turns no more after SIGUSR2. */
process.on('SIGUSR2', () => {
  // Where only the stillness counts, without its heat.
  if (process.env.ATTACK_STILL === '1') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  for (;;);
});
