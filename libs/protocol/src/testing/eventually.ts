/**
 * Asks again, every 20 ms, until the answer is not undefined.
 * @throws when it takes longer than `milliseconds`, naming `what` was waited for
 */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  milliseconds = 30_000,
): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`Within ${milliseconds} ms there was no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
