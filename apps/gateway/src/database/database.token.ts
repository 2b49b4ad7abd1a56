/** Injects a `Database`: for what requests read and change. */
export const DATABASE = Symbol('DATABASE');

/** Injects a `Database` for who is calling and for push: its connections are kept apart from the others'. */
export const AUTHENTICATION_DATABASE = Symbol('AUTHENTICATION_DATABASE');
