import type { Settings } from '../process/settings.js';

/**
 * A link to a page of the modern app that takes a secret. The secret is in the fragment, which a browser sends to nobody.
 * Without `PUBLIC_URL` it is a path: what a request says of the host is anyone's claim.
 */
export const linkTo = (
  page: 'invitation' | 'reset-password',
  secret: string,
  { PUBLIC_URL: base = '' }: Settings,
): string => `${base}/next/${page}#${secret}`;
