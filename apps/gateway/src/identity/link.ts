import type { Settings } from '../process/settings.js';

/**
 * A link to a page of the modern app that takes a secret. The secret is in the fragment, which browsers send to no server.
 * Without `PUBLIC_URL` it is a path, since a request's host cannot be trusted.
 */
export const linkTo = (
  page: 'invitation' | 'reset-password',
  secret: string,
  { PUBLIC_URL: base = '' }: Settings,
): string => `${base}/next/${page}#${secret}`;
