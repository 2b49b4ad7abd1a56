import type { Admission } from './admission.js';
import type { Hub } from './hub.js';

/** The longest that a client waits before it opens its next stream. */
const RECONNECT_SPREAD_MS = 3000;

/** Refuses new streams, and tells the open ones to reconnect, each after a time of its own. */
export function drain(admission: Admission, hub: Hub, random: () => number = Math.random): void {
  admission.drain();
  for (const connection of [...hub.all()]) {
    connection.close('draining', { delay_ms: Math.round(random() * RECONNECT_SPREAD_MS) });
  }
}
