/** Under whose limit a connection counts. */
export type OwnerId = string;

/** Who is connected. */
export interface Principal {
  /** Set for people. The token of a project or a service has none. */
  readonly userId?: string;
  readonly tokenId: string;
  readonly organizationIds: ReadonlySet<string>;
  /**
   * The tenant of a token that is no person's. The streams of all such tokens of a tenant also count together, so that a
   * tenant that makes more tokens does not get more streams.
   */
  readonly tenantId?: string;
  /**
   * When the credential expires by itself, milliseconds since 1970: its streams end within `reauthorizeSeconds` of it.
   * For credentials that nobody can be asked about again, such as a JWT.
   */
  readonly expiresAt?: number;
}

/** The user, else the token. */
export const ownerOf = ({ userId, tokenId }: Pick<Principal, 'userId' | 'tokenId'>): OwnerId =>
  userId === undefined ? `token:${tokenId}` : `user:${userId}`;

/** The tenant of a token that is no person's: a second owner beside the token itself. */
export const tenantOf = ({ userId, tenantId }: Principal): OwnerId | undefined =>
  userId === undefined && tenantId !== undefined ? `tenant:${tenantId}` : undefined;

/** What an authenticator says of a credential; `detail` is a sentence for the reader of the refusal. */
export type Authentication =
  | { readonly outcome: 'authenticated'; readonly principal: Principal }
  | { readonly outcome: 'unauthorized' | 'forbidden'; readonly detail: string };

/**
 * A port: the program that uses the library says whose a credential is.
 * Both methods read the present state, without a cache: a change is published after it is committed, and the library
 * asks again when it hears of one. If a method throws, or does not answer within five seconds, new streams are refused as
 * unavailable and open streams go on.
 */
export interface Authenticator {
  authenticate(credential: string): Promise<Authentication>;
  /**
   * Asks again about open connections: in the same order, what each may do now; undefined closes it as unauthorized.
   * Leave it out for credentials that nobody can be asked about. Then a stream ends when its credential expires or is
   * revoked by a message, and a membership is granted as its message says.
   */
  reauthorize?(principals: readonly Principal[]): Promise<readonly (Principal | undefined)[]>;
}

export type Reauthorize = NonNullable<Authenticator['reauthorize']>;
