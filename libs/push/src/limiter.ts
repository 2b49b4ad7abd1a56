/** Counts points of each key, within a period that begins with its first. A key's points never exceed the limit. */
export interface Limiter {
  /** The limit. */
  readonly points: number;
  /** Counts `points` of this key if they fit: all or none. */
  count(key: string, points?: number): Promise<Count>;
  /** What `count` of a single point would say. */
  look(key: string): Promise<Count>;
  /** Takes points back that were counted. */
  giveBack(key: string, points?: number): Promise<void>;
  /** Begins again with none. */
  forget(key: string): Promise<void>;
}

export interface Count {
  readonly fits: boolean;
  /** Points that still fit. */
  readonly left: number;
  /** Until the period ends, at most a whole one. */
  readonly msBeforeNext: number;
}

/** Makes the limiter of this name, of `points` in so many seconds. Limiters of one name may share what they count. */
export type MakeLimiter = (name: string, points: number, seconds: number) => Limiter;
