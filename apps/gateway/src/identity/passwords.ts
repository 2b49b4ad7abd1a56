import { hash, verify } from '@node-rs/argon2';

/** Argon2id with the library's defaults: 19 MiB, two passes (OWASP's minimum). */
export const hashPassword = (password: string): Promise<string> => hash(password);

export const verifyPassword = (passwordHash: string, password: string): Promise<boolean> =>
  verify(passwordHash, password);

let nobody: Promise<string> | undefined;

/** Takes as long as a real check, so that an unknown address cannot be told from a wrong password. */
export async function verifyNobody(password: string): Promise<false> {
  nobody ??= hashPassword('nobody has this password');
  await verifyPassword(await nobody, password);
  return false;
}
