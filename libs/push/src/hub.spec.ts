import { everyone, organization, user } from '@crossfade/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isAmong } from './audience.js';
import { Connection } from './connection.js';
import { Hub } from './hub.js';
import type { Principal } from './principal.js';
import { connectionParts } from './scripted.spec-kit.js';

const ids = ['a', 'b', 'c'] as const;
const principal = fc.record({
  userId: fc.option(fc.constantFrom(...ids), { nil: undefined }),
  tokenId: fc.constantFrom(...ids),
  organizations: fc.uniqueArray(fc.constantFrom(...ids)),
});
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), who: principal }),
  fc.record({ do: fc.constantFrom('remove', 'join', 'leave'), nth: fc.nat(10), id: fc.constantFrom(...ids) }),
);

function open(id: string, who: Principal): Connection {
  const { init, parts } = connectionParts({ id, principal: who });
  return new Connection(init, parts);
}

it('finds exactly the connections of an audience, through any history, and holds nothing when all have left', () => {
  fc.assert(
    fc.property(fc.array(step), (history) => {
      const hub = new Hub();
      const here: {
        connection: Connection;
        userId: string | undefined;
        tokenId: string;
        organizations: Set<string>;
      }[] = [];
      for (const [index, one] of history.entries()) {
        if ('who' in one) {
          const { userId, tokenId, organizations } = one.who;
          const connection = open(`c${index}`, {
            ...(userId === undefined ? {} : { userId }),
            tokenId,
            organizationIds: new Set(organizations),
          });
          hub.add(connection);
          here.push({ connection, userId, tokenId, organizations: new Set(organizations) });
          continue;
        }
        const chosen = here[one.nth % Math.max(1, here.length)];
        if (chosen === undefined) continue;
        if (one.do === 'remove') {
          hub.remove(chosen.connection);
          here.splice(here.indexOf(chosen), 1);
        } else if (one.do === 'join') {
          hub.join(chosen.connection, one.id);
          chosen.organizations.add(one.id);
        } else {
          hub.leave(chosen.connection, one.id);
          chosen.organizations.delete(one.id);
        }
        const found = (audience: Parameters<Hub['of']>[0]) =>
          [...hub.of(audience)].map(({ id }) => id).sort();
        const expected = (is: (one: (typeof here)[number]) => boolean) =>
          here
            .filter(is)
            .map(({ connection }) => connection.id)
            .sort();
        for (const audiences of [[everyone], [user('a'), organization('b')], [organization('a')], []]) {
          expect(found(audiences)).toEqual(
            expected(({ userId, organizations: organizationIds }) =>
              isAmong(audiences, { ...(userId === undefined ? {} : { userId }), organizationIds }),
            ),
          );
        }
        expect(found([everyone])).toEqual(expected(() => true));
        for (const id of ids) {
          expect(found([user(id)])).toEqual(expected(({ userId }) => userId === id));
          expect(found([organization(id)])).toEqual(expected(({ organizations }) => organizations.has(id)));
          expect(found([organization(id), user('a')])).toEqual(
            expected(({ organizations, userId }) => organizations.has(id) || userId === 'a'),
          );
          expect([...hub.ofToken(id)].map((one) => one.id).sort()).toEqual(
            expected(({ tokenId }) => tokenId === id),
          );
        }
      }
      for (const { connection } of here) hub.remove(connection);
      expect(hub.indexed).toBe(0);
    }),
    { numRuns: 1000 },
  );
});

it('does not let a connection join that has left', () => {
  const hub = new Hub();
  const connection = open('c', { tokenId: 't', organizationIds: new Set() });
  hub.add(connection);
  hub.remove(connection);
  hub.join(connection, 'o');
  expect(hub.indexed).toBe(0);
});
