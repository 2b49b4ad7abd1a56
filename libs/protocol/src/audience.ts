/** Who may see a message. A message with several audiences reaches each connection once. */
export type Audience =
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'organization'; readonly id: string }
  | { readonly kind: 'everyone' };

export const everyone: Audience = { kind: 'everyone' };
export const user = (id: string): Audience => ({ kind: 'user', id });
export const organization = (id: string): Audience => ({ kind: 'organization', id });
