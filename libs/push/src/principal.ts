/** Under whose limit a connection counts. */
export type OwnerId = string;

/** Who is connected. */
export interface Principal {
  /** Set for people; a project's or a service's token has none. */
  readonly userId?: string;
  readonly tokenId: string;
  readonly organizationIds: ReadonlySet<string>;
  /**
   * Whose the token is where it is no person's: the streams of all such tokens count together as well, so that whoever
   * can make tokens cannot make room.
   */
  readonly tenantId?: string;
  /**
   * When the credential ends by itself, milliseconds since 1970: its streams end within `reauthorizeSeconds` of it.
   * For credentials that nobody can be asked about again, such as a JWT.
   */
  readonly expiresAt?: number;
}

/** The user, else the token. */
export const ownerOf = ({ userId, tokenId }: Principal): OwnerId =>
  userId === undefined ? `token:${tokenId}` : `user:${userId}`;

/** Beside it, the tenant of a token that is nobody's. */
export const tenantOf = ({ userId, tenantId }: Principal): OwnerId | undefined =>
  userId === undefined && tenantId !== undefined ? `tenant:${tenantId}` : undefined;

/** What an authenticator says of a credential; `detail` is a sentence for whoever reads the refusal. */
export type Authentication =
  | { readonly outcome: 'authenticated'; readonly principal: Principal }
  | { readonly outcome: 'unauthorized' | 'forbidden'; readonly detail: string };

/**
 * A port: the program that uses the library says who a credential is.
 * Both methods read the present state of whatever they ask, no cache: a change is published after it is committed,
 * and the library asks again when it hears of one. A method that throws makes the stream be refused as unavailable.
 */
export interface Authenticator {
  authenticate(credential: string): Promise<Authentication>;
  /** Asks again about open connections: in the same order, what each may do now, or undefined if it is gone. */
  reauthorize(principals: readonly Principal[]): Promise<readonly (Principal | undefined)[]>;
}
