import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../app.spec-kit.js';
import { pendingAmendments } from '../database/schema/events.js';
import { projects } from '../database/schema/organizations.js';
import { Amendments } from './amendments.js';
import { PendingAmendments } from './pending-amendments.js';

describe('what is said of an event that has not come', () => {
  let started: StartedApp;
  let amendments: Amendments;
  let early: PendingAmendments;
  let projectId: string;
  beforeAll(async () => {
    started = await startApp();
    amendments = started.app.get(Amendments);
    early = started.app.get(PendingAmendments);
    const [project] = await started.database.select().from(projects);
    projectId = project?.id ?? '';
  });
  afterAll(() => started.stop());

  const at = (time: string) => new Date(`2026-03-01T${time}Z`);
  const waiting = async (reference: string) => {
    const [found] = await started.database
      .select()
      .from(pendingAmendments)
      .where(eq(pendingAmendments.reference, reference));
    return found;
  };

  it('is forgotten after a day', async () => {
    await amendments.describe(projectId, 'described', { description: 'It broke.' }, at('10:00:00'));
    await amendments.noteActivity(projectId, 'there', false, at('12:00:00'));
    await early.prune(new Date('2026-03-02T09:59:59Z'));
    expect(await waiting('described')).toMatchObject({
      kind: 'description',
      said: { description: 'It broke.' },
    });
    await early.prune(new Date('2026-03-02T10:00:01Z'));
    expect(await waiting('described')).toBeUndefined();
    expect(await waiting('there')).toMatchObject({ kind: 'heartbeat', closed: false });
  });

  it('is written once a minute for a session, and at its end', async () => {
    const beat = async (time: string, closed = false) => {
      await amendments.noteActivity(projectId, 'beating', closed, at(time));
      return (await waiting('beating'))?.noted;
    };
    expect(await beat('10:00:00')).toEqual(at('10:00:00'));
    expect(await beat('10:00:59')).toEqual(at('10:00:00'));
    expect(await beat('10:01:01')).toEqual(at('10:01:01'));
    expect(await beat('10:01:02', true)).toEqual(at('10:01:02'));
    expect(await beat('10:01:03', true)).toEqual(at('10:01:02'));
    expect(await waiting('beating')).toMatchObject({ closed: true });
  });
});
