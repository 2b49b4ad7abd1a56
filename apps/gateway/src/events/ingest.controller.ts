import { Body, Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { ApiBody } from '@nestjs/swagger';
import { Answers, noRoom } from '../http/answers.js';
import { TakesBody } from '../http/body-limits.js';
import { forbidden, invalid, ProblemException } from '../http/problem.js';
import { beginning, idSchema, jsonObject } from '../http/schemas.js';
import { countWithin, CountsAgainst, limiterOf, Throttle } from '../http/throttle.js';
import { Allow, Calling, type Caller, type UserCaller } from '../identity/caller.js';
import { Organizations } from '../organizations/organizations.js';
import { Amendments } from './amendments.js';
import { CONFIG_VERSION } from './config-version.js';
import { eventSchema } from './event-input.js';
import { Ingest, type IngestTarget } from './ingest.js';

const DESCRIPTIONS_PER_MINUTE = 10;
/** Characters of a description's data, as JSON; larger ones are left out. */
const MOST_DESCRIBED = 16_384;

const description = z.object({
  email_address: beginning(320).optional(),
  description: beginning(10_000).optional(),
  data: jsonObject
    .refine((data) => JSON.stringify(data).length <= MOST_DESCRIBED)
    .optional()
    .catch(undefined),
});
const heartbeat = z.object({ id: beginning(200).optional(), close: z.string().optional() });
const reference = z.object({ reference_id: beginning(100) });
const settingsView = z.object({ version: z.int(), settings: z.record(z.string(), z.string()) });
const version = z.object({ v: z.coerce.number('must be a number').optional() });

/** One event or a list of them; what is not valid in one is left out. */
const batchBody = (() => {
  const one = z.toJSONSchema(eventSchema, { io: 'input', target: 'openapi-3.0' });
  return { oneOf: [one, { type: 'array', items: one }] } as Parameters<typeof ApiBody>[0] extends {
    schema: infer S;
  }
    ? S
    : never;
})();
const overPlan = { 402: 'The batch does not fit the plan; nothing of it was kept.' };

/** What client libraries call with a project's token. */
@Controller('api/v2')
export class IngestController {
  /** Of one event: each writes the whole of it again. */
  readonly #descriptions = limiterOf(DESCRIPTIONS_PER_MINUTE);

  constructor(
    private readonly ingest: Ingest,
    private readonly amendments: Amendments,
    private readonly organizations: Organizations,
    private readonly throttle: Throttle,
  ) {}

  @Post('events')
  @Allow('client')
  @CountsAgainst('ingest')
  @TakesBody('events')
  @ApiBody({ schema: batchBody })
  @Answers("Takes one event or many for the token's project", { status: 202, also: overPlan })
  async post(@Calling() caller: Caller, @Body() body: unknown): Promise<void> {
    await this.#accept(caller, targetOf(caller), body);
  }

  @Post('projects/:id/events')
  @Allow('client')
  @CountsAgainst('ingest')
  @TakesBody('events')
  @ApiBody({ schema: batchBody })
  @Answers('Takes one event or many for a project', {
    status: 202,
    also: { ...overPlan, 404: 'There is no such project for the caller.' },
  })
  async postToProject(
    @Calling() caller: Caller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Body() body: unknown,
  ): Promise<void> {
    const target = caller.kind === 'user' ? await this.#projectOf(caller, id) : targetOf(caller);
    if (target.projectId !== id) throw forbidden('The token belongs to another project.');
    await this.#accept(caller, target, body);
  }

  /** Kept with every event that has the reference, which may be still on its way: then nothing is described. */
  @Post('events/by-ref/:reference_id/user-description')
  @Allow('client')
  @CountsAgainst('side')
  @Answers('Keeps what a user said with the newest event of the reference', { status: 202 })
  async describe(
    @Calling() caller: Caller,
    @Param({ schema: reference }) { reference_id: referenceId }: z.output<typeof reference>,
    @Body({ schema: description }) said: z.output<typeof description>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const { projectId } = targetOf(caller);
    await countWithin(
      this.#descriptions,
      `${projectId} ${referenceId}`,
      response,
      'The event was described too often; wait a minute and try again.',
    );
    await this.amendments.describe(projectId, referenceId, said);
  }

  @Get('events/session/heartbeat')
  @Allow('client')
  @CountsAgainst('side')
  @Answers("Notes activity with the session's event", { also: noRoom })
  async heartbeat(
    @Calling() caller: Caller,
    @Query({ schema: heartbeat }) { id, close }: z.output<typeof heartbeat>,
  ): Promise<void> {
    const { projectId } = targetOf(caller);
    if (id !== undefined) await this.amendments.noteActivity(projectId, id, close === 'true', new Date());
  }

  @Get('projects/config')
  @Allow('client')
  @CountsAgainst('none')
  @Answers("A project's settings for client libraries", {
    body: settingsView,
    also: { 304: 'The version that the client has is current.' },
  })
  config(
    @Query({ schema: version }) { v }: z.output<typeof version>,
    @Res({ passthrough: true }) response: Response,
  ) {
    if (v === CONFIG_VERSION) return void response.status(304);
    return { version: CONFIG_VERSION, settings: {} };
  }

  async #accept({ tokenId }: Caller, target: IngestTarget, body: unknown): Promise<void> {
    const batch = batchOf(body);
    await this.throttle.countEvents(tokenId, batch.length);
    await this.ingest.accept(target, batch, new Date());
  }

  async #projectOf(caller: UserCaller, id: string): Promise<IngestTarget> {
    const { organizationId } = await this.organizations.project(caller, id);
    return { organizationId, projectId: id };
  }
}

function targetOf(caller: Caller): IngestTarget {
  if (caller.kind === 'project')
    return { organizationId: caller.organizationId, projectId: caller.projectId };
  throw forbidden("Use a project's token, or name the project: /api/v2/projects/{id}/events.");
}

/** Five MiB could be a million empty events, each with a row of its own. */
const MOST_EVENTS = 50_000;

function batchOf(body: unknown): readonly unknown[] {
  if (typeof body !== 'object' || body === null) {
    const found = body === undefined ? 'is empty, and ' : '';
    throw invalid([{ path: '', message: `${found}must be an event (a JSON object) or an array of events` }]);
  }
  const batch: readonly unknown[] = Array.isArray(body) ? body : [body];
  if (batch.length > MOST_EVENTS)
    throw new ProblemException(
      413,
      `The batch has ${batch.length} events; send at most ${MOST_EVENTS} at once.`,
    );
  return batch;
}
