import fc from 'fast-check';
import { expect, it } from 'vitest';
import { idsSchema, uuid } from './schemas.js';

const id = fc.uuid({ version: 4 });
/** The same id as somebody else writes it. */
const written = fc
  .tuple(id, fc.infiniteStream(fc.boolean()))
  .map(([one, capitals]): [string, string] => [
    one,
    [...one]
      .map((character) => (capitals.next().value === true ? character.toUpperCase() : character))
      .join(''),
  ]);

it('reads an id in whatever letters as the database has it, and nothing else', () => {
  fc.assert(
    fc.property(written, ([one, otherwise]) => {
      expect(uuid.parse(otherwise)).toBe(one);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(uuid.safeParse(text).success).toBe(false);
    }),
  );
  for (const text of [
    '{7c6b2b6e-6b0c-4a53-9f3a-0a5d1c0f3e11}',
    '7c6b2b6e6b0c4a539f3a0a5d1c0f3e11',
    'urn:uuid:7c6b2b6e-6b0c-4a53-9f3a-0a5d1c0f3e11',
    ' 7c6b2b6e-6b0c-4a53-9f3a-0a5d1c0f3e11',
    '7c6b2b6e-6b0c-4a53-9f3a-0a5d1c0f3e11\n',
    '7c6b2b6e-6b0c-4a53-9f3a-0a5d1c0f3e1',
    '7ſ6b2b6e-6b0c-4a53-9f3a-0a5d1c0f3e11',
  ])
    expect(uuid.safeParse(text).success, text).toBe(false);
});

it('reads a list of ids as the rows that it means, each once', () => {
  fc.assert(
    fc.property(fc.array(written, { minLength: 1, maxLength: 20 }), (all) => {
      const text = all.flatMap(([one, otherwise]) => [otherwise, one]).join(',');
      expect(idsSchema.parse({ ids: text }).ids).toEqual([...new Set(all.map(([one]) => one))]);
    }),
  );
});
