/** What Redis answers, in its older form (RESP2): text, whole numbers, lists. */
export type Reply = string | number | null | readonly Reply[];

/** @throws if it is no list */
export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (!Array.isArray(reply)) throw unexpected(reply);
  return reply;
}

/** @throws if it is no list of texts */
export const textsOf = (reply: Reply | undefined): readonly string[] =>
  listOf(reply).map((one) => {
    if (typeof one !== 'string') throw unexpected(one);
    return one;
  });

export const unexpected = (reply: unknown): Error =>
  new Error(`Redis answered with ${typeof reply}, not as it was asked`);
