import type { Meter } from '@opentelemetry/api';
import { systemClock, withDeadline } from '@crossfade/push';
import type { Outbox } from './outbox.js';
import type { OutboxRelay } from './outbox-relay.js';

/** A scrape does not wait longer for the database, milliseconds. Without an answer, two gauges are NaN: their last values would mislead. */
const DEADLINE_MS = 500;

export function observeOutbox(meter: Meter, outbox: Outbox, relay: OutboxRelay): void {
  const depth = meter.createObservableGauge('crossfade.gateway.outbox.depth', {
    description: 'Rows of the outbox that are in no log yet, at most 10,000',
  });
  const age = meter.createObservableGauge('crossfade.gateway.outbox.age', {
    description: 'Age of the oldest of these rows',
    unit: 's',
  });
  meter.addBatchObservableCallback(
    async (result) => {
      const { rows, ageSeconds } = await withDeadline(
        systemClock,
        DEADLINE_MS,
        'the outbox',
        outbox.backlog(),
      ).catch(() => ({ rows: NaN, ageSeconds: NaN }));
      result.observe(depth, rows);
      result.observe(age, ageSeconds);
    },
    [depth, age],
  );
  meter
    .createObservableCounter('crossfade.gateway.outbox.relayed', {
      description: 'Messages that this replica appended because nobody else had',
    })
    .addCallback((result) => result.observe(relay.appended));
}
