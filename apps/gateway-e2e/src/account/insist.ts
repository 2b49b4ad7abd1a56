import { setTimeout as wait } from 'node:timers/promises';

const AGAIN_MS = 200;
const GIVE_UP_MS = 60_000;

/**
 * Asks until the answer is a success, or one of these statuses, whatever happens to the installation meanwhile.
 * @returns the body
 * @throws after a minute, and at any other status that repeating does not change
 */
export async function insist(ask: () => Promise<Response>, ...wanted: readonly number[]): Promise<unknown> {
  for (const until = Date.now() + GIVE_UP_MS; ;) {
    const answer = await ask()
      .then(async (response) => {
        const { ok, status, url } = response;
        return { isWanted: ok || wanted.includes(status), status, url, text: await response.text() };
      })
      .catch(() => undefined);
    if (answer?.isWanted === true) return answer.text === '' ? undefined : JSON.parse(answer.text);
    const isFinal = answer !== undefined && answer.status < 500 && answer.status !== 429;
    if (isFinal || Date.now() > until)
      throw new Error(`${answer?.url ?? 'nobody'} answered ${answer?.status ?? ''} ${answer?.text ?? ''}`);
    await wait(AGAIN_MS);
  }
}
