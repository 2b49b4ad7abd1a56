/** Injects a `Database`. */
export const DATABASE = Symbol('DATABASE');
