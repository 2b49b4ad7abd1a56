import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { exercises } from '../exercises.ts';
import { operationsOf, type Asked, type Operation } from '../operations.ts';
import { makeWorld, type World } from '../world.ts';

/*
 * Text and JSON that a database refuses, or that is cut in the middle of a character, in every input. A new text is a row
 * of `texts`, a new input a row of the three tables below; the last tests include new routes by themselves.
 */

/** A text as sent, and what is stored of it with a limit of this many characters. */
const texts = (most: number): readonly (readonly [string, string])[] => [
  ['nul \0 inside', 'nul \uFFFD inside'],
  ['\0', '\uFFFD'],
  ['high \ud800 alone', 'high \uFFFD alone'],
  ['low \udfff alone', 'low \uFFFD alone'],
  ['\udc00\ud83d the wrong way round', '\uFFFD\uFFFD the wrong way round'],
  ['x'.repeat(most), 'x'.repeat(most)],
  [`${'x'.repeat(most - 1)}\u{1f600}`, 'x'.repeat(most - 1)],
  [`${'x'.repeat(most - 2)}\u{1f600}`, `${'x'.repeat(most - 2)}\u{1f600}`],
  [`${'x'.repeat(most - 2)}\u{1f600}\u{1f600}`, `${'x'.repeat(most - 2)}\u{1f600}`],
  [`${'x'.repeat(most - 1)}\ud83d`, `${'x'.repeat(most - 1)}\uFFFD`],
  [`${'x'.repeat(most - 1)}\ud83d${'x'.repeat(9)}`, `${'x'.repeat(most - 1)}\uFFFD`],
  [`${'x'.repeat(most)}\0`, 'x'.repeat(most)],
  [`${'x'.repeat(most - 1)}\0${'\ud800'.repeat(3)}`, `${'x'.repeat(most - 1)}\uFFFD`],
  // A family emoji of four, of which as many remain as fit.
  [
    `${'x'.repeat(most - 4)}\u{1f468}\u200d\u{1f469}\u200d\u{1f467}`,
    `${'x'.repeat(most - 4)}\u{1f468}\u200d`,
  ],
  ['e\u0301, \u202eright to left, \uFEFF mark, \uFFFE', 'e\u0301, \u202eright to left, \uFEFF mark, \uFFFE'],
];

/** A path has no NUL: the door refuses it. */
const inPath = (text: string): string => encodeURIComponent(text.toWellFormed().replaceAll('\0', '\uFFFD'));

/** The most characters of a client's id. */
const REFERENCE = 200;

interface EventView {
  readonly type: string;
  readonly message: string | null;
  readonly tags: readonly string[];
  readonly reference_id: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A field of an event: how it is sent, and where it is stored. */
interface Field {
  readonly most: number;
  readonly event: (text: string) => object;
  readonly kept: (view: EventView) => unknown;
}
const data = (view: EventView, ...path: string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], view.data);
/** Text that is stored whole as long as its event is. */
const ANY = 1000;
const fields: Readonly<Record<string, Field>> = {
  type: { most: 100, event: (type) => ({ type }), kept: ({ type }) => type },
  message: { most: 2000, event: (message) => ({ message }), kept: ({ message }) => message },
  source: { most: 2000, event: (source) => ({ source }), kept: (view) => data(view, '@source') },
  reference: {
    most: REFERENCE,
    event: (text) => ({ reference_id: text }),
    kept: (view) => view.reference_id,
  },
  tag: { most: 100, event: (tag) => ({ tags: ['first', tag] }), kept: ({ tags }) => tags[1] },
};
/** Text inside `data`, which is never cut. */
const inData: Readonly<Record<string, Field>> = {
  value: { most: ANY, event: (text) => ({ data: { text } }), kept: (view) => data(view, 'text') },
  name: {
    most: ANY,
    event: (text) => ({ data: { inside: { [text]: 1 } } }),
    kept: (view) => Object.keys(data(view, 'inside') as object)[0],
  },
  'element of a list': {
    most: ANY,
    event: (text) => ({ data: { list: [[text]] } }),
    kept: (view) => (data(view, 'list') as string[][])[0]?.[0],
  },
  'message of an error': {
    most: ANY,
    event: (message) => ({ data: { '@error': { type: 'E', message, stack_trace: message } } }),
    kept: (view) => data(view, '@error', 'message'),
  },
};

onEachDatabase(
  'text from outside',
  { API_THROTTLE_PER_MINUTE: '0', INGEST_THROTTLE_PER_MINUTE: '0', ENABLE_SIGNUP: 'true' },
  (gateway, database) => {
    let world: World;
    let operations: Operation[];
    beforeAll(async () => {
      world = await makeWorld(gateway());
      ({ operations } = await operationsOf(gateway().url));
      operations = operations.filter(({ name }) => name !== 'GET /api/v2/push');
    });

    /** The date of the newest event: an hour ahead, so that no other test's event is newer. */
    let newest = Date.now() + 3_600_000;

    /** Sends events, and reads what was stored, in the order sent. */
    async function sent(events: readonly object[]): Promise<EventView[]> {
      newest += events.length;
      const dated = events.map((event, index) => ({ date: new Date(newest - index), ...event }));
      await world.client.json('POST', '/events', dated);
      const kept = await world.member.json<EventView[]>(
        'GET',
        `/projects/${world.own.projects}/events?limit=${events.length}`,
      );
      expect(kept).toHaveLength(events.length);
      return kept;
    }

    describe('in an event', () => {
      it.each(Object.entries(fields))(
        'as its %s is cut, then cleaned',
        async (_name, { most, event, kept }) => {
          const rows = texts(most);
          const views = await sent(rows.map(([text]) => event(text)));
          expect(views.map(kept)).toEqual(rows.map(([, wanted]) => wanted));
        },
      );

      it.each(Object.entries(inData))(
        'as a %s in its data is cleaned',
        async (_name, { most, event, kept }) => {
          const rows = texts(most);
          const views = await sent(rows.map(([text]) => event(text)));
          expect(views.map(kept)).toEqual(
            rows.map(([text]) => text.toWellFormed().replaceAll('\0', '\uFFFD')),
          );
        },
      );

      it('is cut, then cleaned, as the title of a stack', async () => {
        const rows = texts(500);
        await sent(
          rows.map(([title], index) => ({
            data: { '@stack': { title, signature_data: { number: String(index), title } } },
          })),
        );
        const stacks = await world.member.json<{ title: string }[]>(
          'GET',
          `/projects/${world.own.projects}/stacks?limit=${rows.length}`,
        );
        expect(stacks.map(({ title }) => title)).toEqual(rows.map(([, wanted]) => wanted));
      });
    });

    describe('in the description of an event', () => {
      const said = async (body: object, reference: string = crypto.randomUUID()) => {
        const [before] = await sent([{ message: 'described', reference_id: reference }]);
        expect(before?.reference_id).toBe(reference);
        await world.client.json(
          'POST',
          `/events/by-ref/${encodeURIComponent(reference)}/user-description`,
          body,
        );
        const [view] = await world.member.json<EventView[]>(
          'GET',
          `/projects/${world.own.projects}/events?limit=1`,
        );
        return view?.data['@user_description'];
      };

      it.each([
        ['description', 10_000],
        ['email_address', 320],
      ] as const)('as its %s is cut, then cleaned', async (name, most) => {
        for (const [text, wanted] of texts(most))
          expect(await said({ [name]: text })).toEqual({ [name]: wanted });
      });

      it('in its data is cleaned; what is too deep is removed, and what is too large is not stored', async () => {
        expect(await said({ data: { 'n\0': ['\0', { deep: '\ud800' }], 'low \udc00': 'x\udfff' } })).toEqual({
          data: { 'n\uFFFD': ['\uFFFD', { deep: '\uFFFD' }], 'low \uFFFD': 'x\uFFFD' },
        });
        for (const levels of [31, 32, 33, 5000, 90_000]) {
          const kept = await said({ data: { deep: 0 } }, `deep-${levels}`);
          expect(kept).toEqual({ data: { deep: 0 } });
          const response = await world.client.call(
            'POST',
            `/events/by-ref/deep-${levels}/user-description`,
            `{"description":"${levels}","data":{"deep":${'['.repeat(levels)}${']'.repeat(levels)}}}`,
          );
          expect(response.status).toBe(202);
          const [view] = await world.member.json<EventView[]>(
            'GET',
            `/projects/${world.own.projects}/events?limit=1`,
          );
          expect(view?.data['@user_description']).toMatchObject({
            description: String(levels),
            data: { deep: expect.any(Array) as unknown[] },
          });
        }
        expect(await said({ description: 'd', data: { large: 'x'.repeat(17_000) } })).toEqual({
          description: 'd',
        });
      });

      it('as its reference finds the event with that reference', async () => {
        for (const [text] of texts(REFERENCE)) {
          const [view] = await sent([{ reference_id: text }]);
          const path = `/events/by-ref/${inPath(text)}/user-description`;
          await world.client.json('POST', path, { description: 'found' });
          const [after] = await world.member.json<EventView[]>(
            'GET',
            `/projects/${world.own.projects}/events?limit=1`,
          );
          expect(after?.reference_id).toBe(view?.reference_id);
          expect(after?.data['@user_description']).toEqual({ description: 'found' });
        }
      });
    });

    /** Text that people type is cleaned, or refused with its limit. */
    const typed: readonly (readonly [
      string,
      number,
      (text: string) => Promise<[Response, (view: never) => unknown]>,
    ])[] = [
      [
        "an organization's name",
        100,
        async (name) => [
          await world.admin.call('POST', '/organizations', { name }),
          (view: { name: string }) => view.name,
        ],
      ],
      [
        "a project's name",
        100,
        async (name) => [
          await world.member.call('POST', '/projects', { organization_id: world.own.organizations, name }),
          (view: { name: string }) => view.name,
        ],
      ],
      [
        'the notes of a token',
        500,
        async (notes) => [
          await world.member.call('POST', `/projects/${world.own.projects}/tokens`, { notes }),
          (view: { notes: string }) => view.notes,
        ],
      ],
      [
        'a notification',
        1000,
        async (value) => [
          await world.admin.call('POST', '/notifications/release?critical=false', { value }),
          (view: { message: string }) => view.message,
        ],
      ],
      [
        'the notification that stands',
        1000,
        async (value) => [
          await world.admin.call('POST', '/notifications/system', { value }),
          (view: { message: string }) => view.message,
        ],
      ],
    ];
    it.each(typed)('as %s is cleaned, or refused', async (_what, most, type) => {
      for (const [text, kept] of texts(most)) {
        const [response, read] = await type(text);
        if (text.length > most) {
          expect(response.status).toBe(400);
          expect(await response.text()).toContain(`must have at most ${most} characters`);
          continue;
        }
        expect(response.ok).toBe(true);
        expect(read((await response.json()) as never)).toBe(kept.trim());
      }
    });

    it('that is searched for is found as it is stored', async () => {
      const [view] = await sent([{ message: 'sought: a\0b \ud800 \u{1f600}%_\\' }]);
      expect(view?.message).toBe('sought: a\uFFFDb \uFFFD \u{1f600}%_\\');
      for (const text of ['a\0b', '\u{1f600}%_\\', 'sought:', 'a\uFFFDb']) {
        const stacks = await world.member.json<{ title: string }[]>(
          'GET',
          `/projects/${world.own.projects}/stacks?q=${encodeURIComponent(text)}`,
        );
        expect(
          stacks.map(({ title }) => title),
          text,
        ).toContain(view?.message);
      }
    });

    it('never names somebody else: an address with a removed character in it is a different address', async () => {
      for (const email of [
        'member\0@crossfade.test',
        'member@crossfade.test\0',
        'member\ud800@crossfade.test',
      ])
        expect(
          (await world.anyone.call('POST', '/auth/login', { email, password: 'tester' })).status,
          JSON.stringify(email),
        ).toBe(401);
      expect(
        (
          await world.anyone.call('POST', '/auth/login', {
            email: ' MEMBER@crossfade.test\n',
            password: 'tester',
          })
        ).status,
      ).toBe(200);
    });

    it('of a service is published as it is, and refused if it is deeper than clients can be expected to read', async () => {
      const publish = (levels: number) =>
        world.service.call(
          'POST',
          '/push/messages',
          `{"type":"StackChanged","message":{"type":"Stack","organization_id":"${world.own.organizations}","change_type":1,"data":{"deep":${'['.repeat(levels)}${']'.repeat(levels)}}}}`,
        );
      for (const [levels, status] of [
        [30, 202],
        [31, 400],
        [5000, 400],
        [90_000, 400],
      ] as const) {
        const response = await publish(levels);
        expect(response.status, `${levels}`).toBe(status);
        if (status === 202) continue;
        expect(await response.json()).toMatchObject({
          errors: [{ path: 'message', message: 'must not be nested more than 32 deep' }],
        });
      }
    });

    describe('by any route', () => {
      const BRACKETS = [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const;
      const MOST_LEVELS = 100_000;
      const HOSTILE = [
        'nul \0',
        'high \ud800',
        'low \udfff',
        `${'x'.repeat(99)}\u{1f600}`,
        '\u{1f600}'.repeat(5001),
      ];

      async function isHarmless(operation: Operation, asked: Asked): Promise<void> {
        const { status, text } = await operation.call(asked);
        expect(status, `${operation.name}: ${text}`).toBeLessThan(500);
      }

      // The code that reads input is the same on both, and the embedded database is slow.
      const share = database === 'PostgreSQL' || process.env['FIELD_FULL'] === '1' ? 1 : 3;
      let looked = 0;
      beforeEach(() => {
        looked = 0;
      });
      /** In `npm test`, the embedded database gets a third of the inputs: another third each time. */
      const some = (names: readonly string[]): readonly string[] =>
        names.filter((_name, index) => (index + looked) % share === 0);

      const propertiesOf = ({ bodySchema }: Operation): string[] => {
        const [one = bodySchema] = bodySchema?.oneOf ?? bodySchema?.anyOf ?? [];
        return Object.keys(one?.properties ?? {});
      };

      it('no deep value causes a server error, in any field or beside the fields', async () => {
        for (const operation of operations.filter(({ bodySchema }) => bodySchema !== undefined)) {
          const good = await exercises[operation.name]?.good(world);
          const body = typeof good?.body === 'object' && !Array.isArray(good.body) ? good.body : {};
          const names = [...propertiesOf(operation), 'beside'];
          const deep = async (value: string, where: readonly string[]) => {
            const holes = Object.fromEntries(where.map((name) => [name, 'HERE']));
            const text = JSON.stringify({ ...body, ...holes }).replaceAll('"HERE"', value);
            await isHarmless(operation, { ...good, body: text });
            looked += 1;
          };
          for (const [open, close] of BRACKETS) {
            for (const levels of [33, 5000])
              await deep(`${open.repeat(levels)}1${close.repeat(levels)}`, names);
            // All together would be too large for one body.
            for (const name of some(names))
              if (open === '[') await deep(`${open.repeat(MOST_LEVELS)}${close.repeat(MOST_LEVELS)}`, [name]);
          }
        }
        expect(looked).toBeGreaterThan(100);
      });

      it('no text causes a server error, in any field, query or path', async () => {
        for (const operation of operations) {
          const exercise = exercises[operation.name];
          const good = (await exercise?.good(world)) ?? {};
          const body = typeof good.body === 'object' && !Array.isArray(good.body) ? good.body : {};
          for (const text of HOSTILE) {
            const inUrl = text.toWellFormed().slice(0, 2000);
            for (const name of some(propertiesOf(operation)))
              await isHarmless(operation, { ...good, body: { ...body, [name]: text } });
            for (const name of some(operation.parameters('query')))
              await isHarmless(operation, { ...good, query: { [name]: inUrl } });
            for (const name of some(operation.parameters('path')))
              await isHarmless(operation, {
                ...good,
                path: { ...good.path, [name]: inPath(inUrl) },
              });
            looked += 1;
          }
        }
        expect(looked).toBeGreaterThan(100);
      });

      it('none of it is in the log', () => {
        expect(
          gateway()
            .output.split('\n')
            .filter((line) => line.includes('"level":50')),
        ).toEqual([]);
      });
    });
  },
);
