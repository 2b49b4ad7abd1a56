/** Injects the library, as `createPush` has wired it. */
export const PUSH = Symbol('PUSH');
/** Injects the path of the push endpoint. */
export const PUSH_ENDPOINT = Symbol('PUSH_ENDPOINT');
