import { Body, Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { ApiBody } from '@nestjs/swagger';
import { Allow, Calling, type Caller, type UserCaller } from '../access/caller.js';
import { countWithin, CountsAgainst, limiterOf, Throttle } from '../access/throttle.js';
import { Answers, diskFull } from '../http/answers.js';
import { TakesBody, TakesText } from '../http/body-limits.js';
import { ForClientLibraries } from '../http/client-library-routes.js';
import { forbidden, invalid, ProblemException } from '../http/problem.js';
import { beginning, idSchema, jsonObject } from '../http/schemas.js';
import { Projects } from '../organizations/projects.js';
import { Amendments } from './amendments.js';
import { CONFIG_VERSION } from './config-version.js';
import { eventSchema } from './event-input.js';
import { readReference } from './event-reference.js';
import { Ingest } from './ingest.js';
import type { IngestTarget } from './store-events.js';

const DESCRIPTIONS_PER_MINUTE = 10;
/** Characters of a description's data, as JSON; larger ones are left out. */
const MOST_DESCRIBED = 16_384;

/** Client libraries of typed languages send null for absent values. */
const text = (most: number) =>
  beginning(most)
    .nullish()
    .transform((value) => value ?? undefined);
const description = z.object({
  email_address: text(320),
  description: text(10_000),
  data: jsonObject
    .refine((data) => JSON.stringify(data).length <= MOST_DESCRIBED)
    .optional()
    // Also for null.
    .catch(undefined),
});
const heartbeat = z.object({
  id: z.string().optional(),
  // As JSON writes it, or .NET: `True`.
  close: z
    .string()
    .transform((close) => close.toLowerCase() === 'true')
    .default(false),
});
const reference = z.object({ reference_id: z.string().transform(readReference) });
const settingsView = z.object({ version: z.int(), settings: z.record(z.string(), z.string()) });
const version = z.object({ v: z.coerce.number('must be a number').optional() });

/** One event or a list of events. Invalid fields are left out. */
const batchBody = (() => {
  const one = z.toJSONSchema(eventSchema, { io: 'input', target: 'openapi-3.0' });
  return { oneOf: [one, { type: 'array', items: one }] } as Parameters<typeof ApiBody>[0] extends {
    schema: infer S;
  }
    ? S
    : never;
})();
const overPlan = { 402: 'The plan is used up; no event of the batch was kept.' };
const taken = {
  'X-Crossfade-Accepted': 'The number of events that were accepted: the first ones of the batch.',
  'X-Crossfade-Dropped': 'The number of events that exceeded the plan.',
};

/** Routes for client libraries, which send a project's token. Old ones call `api/v1`, which is the same. */
@Controller(['api/v2', 'api/v1'])
export class IngestController {
  /** Of one event, because each description rewrites the event's whole row. */
  readonly #descriptions = limiterOf(DESCRIPTIONS_PER_MINUTE);

  constructor(
    private readonly ingest: Ingest,
    private readonly amendments: Amendments,
    private readonly projects: Projects,
    private readonly throttle: Throttle,
  ) {}

  @Post(['events', 'events/submit'])
  @Allow('client')
  @ForClientLibraries()
  @CountsAgainst('ingest')
  @TakesBody('events')
  @TakesText()
  @ApiBody({ schema: batchBody })
  @Answers("Accepts one event or many for the token's project", {
    status: 202,
    headers: taken,
    also: overPlan,
  })
  async post(
    @Calling() caller: Caller,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    await this.#accept(caller, targetOf(caller), body, response);
  }

  @Post('projects/:id/events')
  @Allow('client')
  @ForClientLibraries()
  @CountsAgainst('ingest')
  @TakesBody('events')
  @TakesText()
  @ApiBody({ schema: batchBody })
  @Answers('Accepts one event or many for a project', {
    status: 202,
    headers: taken,
    also: { ...overPlan, 404: 'There is no such project for the caller.' },
  })
  async postToProject(
    @Calling() caller: Caller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const target = caller.kind === 'user' ? await this.#projectOf(caller, id) : targetOf(caller);
    if (target.projectId !== id) throw forbidden('The token belongs to another project.');
    await this.#accept(caller, target, body, response);
  }

  /** If the event has not come yet, the description waits for it. */
  @Post('events/by-ref/:reference_id/user-description')
  @Allow('client')
  @ForClientLibraries()
  @CountsAgainst('side')
  @TakesText()
  @Answers('Adds a user description to the newest event with the reference, or keeps it until there is one', {
    status: 202,
  })
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
    await this.amendments.describe(projectId, referenceId, said, new Date());
  }

  @Get('events/session/heartbeat')
  @Allow('client')
  @ForClientLibraries()
  @CountsAgainst('side')
  @Answers("Records activity on the session's or the user's event, or keeps it until there is one", {
    also: diskFull,
  })
  async heartbeat(
    @Calling() caller: Caller,
    @Query({ schema: heartbeat }) { close }: z.output<typeof heartbeat>,
    @Req() request: Request,
  ): Promise<void> {
    const { projectId } = targetOf(caller);
    const id = readReference(asSent(request, 'id'));
    if (id.trim() !== '') await this.amendments.noteActivity(projectId, id, close, new Date());
  }

  @Get('projects/config')
  @Allow('client')
  @ForClientLibraries()
  @CountsAgainst('none')
  @Answers("A project's settings for client libraries", {
    body: settingsView,
    also: { 304: "The client's version is current." },
  })
  config(
    @Query({ schema: version }) { v }: z.output<typeof version>,
    @Res({ passthrough: true }) response: Response,
  ) {
    if (v === CONFIG_VERSION) return void response.status(304);
    return { version: CONFIG_VERSION, settings: {} };
  }

  async #accept({ tokenId }: Caller, target: IngestTarget, body: unknown, response: Response): Promise<void> {
    const batch = batchOf(body);
    await this.throttle.countEvents(tokenId, batch.length);
    const { accepted, dropped } = await this.ingest.accept(target, batch, new Date());
    response.setHeader('X-Crossfade-Accepted', accepted).setHeader('X-Crossfade-Dropped', dropped);
  }

  async #projectOf(caller: UserCaller, id: string): Promise<IngestTarget> {
    const { organizationId } = await this.projects.one(caller, id);
    return { organizationId, projectId: id };
  }
}

/** Client libraries do not encode an id in a query: a plus in an address means a plus, not a space. */
function asSent({ originalUrl }: Request, name: string): string {
  const [, query = ''] = originalUrl.split('?');
  return new URLSearchParams(query.replaceAll('+', '%2B')).get(name) ?? '';
}

function targetOf(caller: Caller): IngestTarget {
  if (caller.kind === 'project')
    return { organizationId: caller.organizationId, projectId: caller.projectId };
  throw forbidden("Use a project's token, or name the project: /api/v2/projects/{id}/events.");
}

/** Five MiB could hold a million empty events, each with a row of its own. */
const MOST_EVENTS = 50_000;

function batchOf(body: unknown): readonly unknown[] {
  const batch = typeof body === 'string' ? linesOf(body) : listOf(body);
  if (batch.length > MOST_EVENTS)
    throw new ProblemException(413, `The batch has too many events; send at most ${MOST_EVENTS} at once.`);
  return batch;
}

function listOf(body: unknown): readonly unknown[] {
  if (typeof body !== 'object' || body === null) {
    const found = body === undefined ? 'is empty, and ' : '';
    throw invalid([{ path: '', message: `${found}must be an event (a JSON object) or an array of events` }]);
  }
  return Array.isArray(body) ? body : [body];
}

/** Makes an event of each line, up to one more than is allowed. */
function linesOf(text: string): readonly unknown[] {
  const batch: { message: string }[] = [];
  for (let at = 0; at < text.length && batch.length <= MOST_EVENTS;) {
    const end = text.indexOf('\n', at);
    const message = text.slice(at, end < 0 ? text.length : end).trim();
    if (message !== '') batch.push({ message });
    at = end < 0 ? text.length : end + 1;
  }
  return batch;
}
