import { hash, verify } from '@node-rs/argon2';

/** Argon2id with the library's defaults: 19 MiB, two passes (OWASP's minimum). */
export const hashPassword = (password: string): Promise<string> => hash(password);

export const verifyPassword = (passwordHash: string, password: string): Promise<boolean> =>
  verify(passwordHash, password);

let nobody: Promise<string> | undefined;

/** Takes as long as a real check, so that an unknown address looks like a wrong password. */
export async function verifyNobody(password: string): Promise<false> {
  nobody ??= hashPassword('nobody has this password');
  await verifyPassword(await nobody, password);
  return false;
}

const FEWEST = 8;
const MOST = 200;
/**
 * Characters whose strength is estimated: the time grows faster than the length, and a beginning that cannot be guessed
 * is enough.
 */
const ESTIMATED = 64;
/** On zxcvbn's scale from 0 to 4. A password below it is guessed within hours. */
const LEAST_SCORE = 2;

/**
 * What is wrong with a chosen password; undefined if nothing. Its length and how hard it is to guess count, not which
 * kinds of characters it has (NIST SP 800-63B). `about`: words about the user.
 */
export async function weaknessOf(password: string, about: readonly string[]): Promise<string | undefined> {
  if (password.length < FEWEST) return `must have at least ${FEWEST} characters`;
  if (password.length > MOST) return `must have at most ${MOST} characters`;
  guesser ??= openGuesser();
  return (await guesser).check(password.slice(0, ESTIMATED), wordsOf(about)).score < LEAST_SCORE
    ? 'is too easy to guess; use a few words that do not belong together'
    : undefined;
}

/** Each word is searched for at every position of the password. */
const MOST_WORDS = 20;

const wordsOf = (about: readonly string[]): string[] =>
  about
    .flatMap((text) =>
      text
        .slice(0, 400)
        .toLowerCase()
        .split(/[^\p{L}\p{N}]+/u),
    )
    .filter(Boolean)
    .map((word) => word.slice(0, ESTIMATED))
    .slice(0, MOST_WORDS);

let guesser: ReturnType<typeof openGuesser> | undefined;

/** The word lists take some megabytes, so they are loaded at the first choice of a password. */
async function openGuesser() {
  const [{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ]);
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs });
}
