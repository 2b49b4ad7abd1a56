import type { ControlMessage } from '@crossfade/protocol';
import type { ResyncReason } from './resume.js';

/** Clients that lost something refetch within this time, each at a moment of its own. */
const SPREAD_MS = 2000;

/** Tells a client to refetch. `isComplete`: whether all critical messages that it missed still come. */
export const resyncMessage = (
  reason: ResyncReason,
  isComplete: boolean,
  random: () => number,
): ControlMessage => ({
  type: 'Resync',
  message: {
    reason,
    delay_ms: Math.round(random() * SPREAD_MS),
    criticals: isComplete ? 'complete' : 'truncated',
  },
});
