import fc from 'fast-check';

/*
 * What may happen to streams, as steps of a random history.
 */

export const USERS = ['ann', 'ben'] as const;
export type User = (typeof USERS)[number];
/** `steady` never changes hands; `moving` does. */
export const ORGANIZATIONS = ['steady', 'moving'] as const;
export const CLIENTS = 6;

const organization = fc.constantFrom(...ORGANIZATIONS);
const who = fc.constantFrom(...USERS);
const client = fc.nat(CLIENTS - 1);

/** Steps with `replicas` replicas. `on`: which of them publishes, or opens the stream. */
export function stepsOf(replicas: number) {
  const on = fc.nat(replicas - 1);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('invalidate' as const),
        on,
        organization,
        key: fc.nat(3),
        change: fc.constantFrom(1 as const, 2 as const),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('burst' as const), on, organization, many: fc.nat(20) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('overage' as const), on, organization }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('announce' as const), on }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('user' as const), on, user: who }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('join' as const, 'quit' as const), on, user: who }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), on, client }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('connect' as const),
        on,
        client,
        cursor: fc.constantFrom('last' as const, 'last' as const, 'older' as const, 'none' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), client }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('stumble' as const), on, client, isCritical: fc.boolean() }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('block' as const), client, after: fc.nat(3) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('unblock' as const), client }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), client }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('keepAlive' as const) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('outage' as const), is: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(1, 40, 125) }),
    },
  );
}
export type Step = ReturnType<typeof stepsOf> extends fc.Arbitrary<infer T> ? T : never;

/** What happens only where replicas share a log. */
export function replicaStepsOf(replicas: number) {
  const on = fc.nat(replicas - 1);
  return fc.oneof(
    // The next stream takes over the lease of the one before, on whichever replica.
    { weight: 4, arbitrary: fc.record({ do: fc.constant('replace' as const), on, client }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('cutOff' as const),
        on,
        cable: fc.constantFrom('cut' as const, 'held' as const, 'held' as const),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('mend' as const), on }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), on }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  );
}
export type ReplicaStep = ReturnType<typeof replicaStepsOf> extends fc.Arbitrary<infer T> ? T : never;
