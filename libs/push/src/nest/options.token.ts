/** Injects the library's options, with defaults filled in. */
export const PUSH_OPTIONS = Symbol('PUSH_OPTIONS');
