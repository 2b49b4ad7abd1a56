/** Injects the `Database` for the work of requests. */
export const DATABASE = Symbol('DATABASE');

/** Injects the `Database` for authentication and push, which has connections of its own. */
export const AUTHENTICATION_DATABASE = Symbol('AUTHENTICATION_DATABASE');
