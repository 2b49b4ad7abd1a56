/* Loaded before the gateway by last-defence.spec.ts: throws an uncaught error at each SIGUSR2. */
const secret = process.env.ATTACK_SECRET;
process.on('SIGUSR2', () => {
  setTimeout(() => {
    if (process.env.ATTACK_REJECT === '1') void Promise.reject(new Error(`somebody typed ${secret}`));
    else throw new TypeError(`somebody typed ${secret}`);
  });
});
