/** Injects the `Redis` that replicas share, or undefined without one. */
export const REDIS = Symbol('REDIS');

/** Injects the `MakeLimiter` whose limiters all replicas share, if they share a Redis. */
export const LIMITER = Symbol('LIMITER');
