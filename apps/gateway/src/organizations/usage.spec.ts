import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../app.spec-kit.js';
import { organizations, projects } from '../database/schema/organizations.js';
import { Ingest } from '../events/ingest.js';
import type { IngestTarget } from '../events/store-events.js';
import { UsageMeter } from './usage.js';

describe('usage', () => {
  let started: StartedApp;
  let ingest: Ingest;
  let meter: UsageMeter;
  let target: IngestTarget;
  beforeAll(async () => {
    started = await startApp();
    ingest = started.app.get(Ingest);
    meter = started.app.get(UsageMeter);
    const [found] = await started.database
      .select({ organizationId: organizations.id, projectId: projects.id })
      .from(organizations)
      .innerJoin(projects, eq(projects.organizationId, organizations.id))
      .where(eq(organizations.name, 'Globex'));
    if (found === undefined) throw new Error('there is no Globex');
    target = found;
  });
  afterAll(() => started.stop());

  const batch = (size: number) => Array.from({ length: size }, () => ({ message: 'counted' }));
  const send = (size: number, at: string) =>
    ingest.accept(target, batch(size), new Date(at)).then(
      ({ accepted, dropped }) => (dropped === 0 ? 'kept' : `${accepted} kept, ${dropped} dropped`),
      (error: Error) => error.message,
    );
  const at = async (instant: string) =>
    (await meter.of([target.organizationId], new Date(instant))).get(target.organizationId)?.usage;

  it('is refused at the limit of an hour, and begins anew with the next', async () => {
    expect(await send(300, '2026-03-01T10:00:00Z')).toBe('kept');
    expect(await send(1, '2026-03-01T10:59:59Z')).toMatch('300 events an hour');
    expect((await at('2026-03-01T10:59:59Z'))?.hour).toEqual({
      total: 300,
      limit: 300,
      dropped: 1,
      isOver: true,
    });
    expect((await at('2026-03-01T11:00:00Z'))?.hour).toEqual({
      total: 0,
      limit: 300,
      dropped: 0,
      isOver: false,
    });
    expect(await send(1, '2026-03-01T11:00:00Z')).toBe('kept');
  });

  it('is refused at the limit of a month, and begins anew with the next', async () => {
    for (let hour = 12; hour < 21; hour += 1)
      expect(await send(299, `2026-03-02T${hour}:00:00Z`)).toBe('kept');
    // 300 + 1 + 9 × 299 = 2,992 by now.
    expect((await at('2026-03-31T23:00:00Z'))?.month).toEqual({
      total: 2992,
      limit: 3000,
      dropped: 1,
      isOver: false,
    });
    expect(await send(9, '2026-03-31T23:00:00Z')).toBe('8 kept, 1 dropped');
    expect(await send(1, '2026-03-31T23:59:59Z')).toMatch('3000 events a month');
    expect(await send(1, '2026-03-31T23:59:59Z')).toMatch('2026-04-01T00:00:00.000Z');
    expect(await at('2026-03-31T23:59:59Z')).toMatchObject({
      hour: { isOver: false, dropped: 3 },
      month: { total: 3000, isOver: true, dropped: 4 },
    });
    expect((await at('2026-04-01T00:00:00Z'))?.month).toEqual({
      total: 0,
      limit: 3000,
      dropped: 0,
      isOver: false,
    });
    expect(await send(1, '2026-04-01T00:00:00Z')).toBe('kept');
  });
});
