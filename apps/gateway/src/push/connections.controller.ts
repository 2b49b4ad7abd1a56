import { Controller, Delete, Get, Param, Query, Res } from '@nestjs/common';
import { Fleet, MOST_LISTED, type OpenConnection } from '@crossfade/push';
import type { Response } from 'express';
import { z } from 'zod';
import { Allow } from '../access/caller.js';
import { Answers } from '../http/answers.js';
import { Page, paging } from '../http/page.js';
import { invalid, notFound, ProblemException } from '../http/problem.js';
import { idSchema, instant, uuid } from '../http/schemas.js';
import { REPLICA_NAME } from '../process/settings.js';

const RETRY_SECONDS = 5;
/** Names of living replicas that did not answer, separated by commas. */
const SILENT = 'X-Crossfade-Silent-Replicas';

const query = paging.extend({
  owner: uuid.optional(),
  client: z
    .string()
    .regex(/^[\w.+-]{1,64}(?:\/[\w.+-]{1,64})?$/, 'must be the name of a client, with its build or without')
    .optional(),
  transport: z.enum(['sse', 'websocket'], 'must be sse or websocket').optional(),
  replica: z.string().regex(REPLICA_NAME, 'must be the name of a replica').optional(),
});

const connectionView = z.object({
  id: z.uuid(),
  replica: z.string(),
  transport: z.enum(['sse', 'websocket']),
  client: z.string(),
  user_id: z.uuid().nullable(),
  token_id: z.uuid(),
  opened_utc: instant,
  age_seconds: z.int(),
  state: z.enum(['live', 'behind']),
  waiting: z.int(),
  pending_bytes: z.int(),
  cursor: z.string(),
  lag: z.int(),
});

/** The open streams of all replicas, for administrators. */
@Controller('api/v2/push/connections')
@Allow('administrator')
export class ConnectionsController {
  constructor(private readonly fleet: Fleet) {}

  @Get()
  @Answers(
    'The open streams of all replicas, newest first; `X-Crossfade-Silent-Replicas` names replicas that did not answer within a second',
    { body: connectionView, list: true },
  )
  async list(
    @Query({ schema: query }) { limit, page, ...wanted }: z.output<typeof query>,
    @Res({ passthrough: true }) response: Response,
  ) {
    // One more row than asked for tells whether there is a next page.
    const most = page * limit + 1;
    if (most > MOST_LISTED + 1) {
      const message = `is too far on: the first ${MOST_LISTED} streams can be listed; filter by owner, client, transport or replica`;
      throw invalid([{ path: 'page', message }]);
    }
    const { connections, total, silent } = await this.fleet.list(wanted, most);
    if (silent.length > 0) response.setHeader(SILENT, silent.join(', '));
    return Page.cut(connections, { limit, page }).counting(total).map(toConnectionView);
  }

  @Delete(':id')
  @Answers('Ends a stream; its client is told to reconnect', {
    status: 204,
    also: {
      404: 'There is no such stream.',
      503: 'There is no such stream on the replicas that have answered; `Retry-After` says when to ask the others again.',
    },
  })
  async end(@Param({ schema: idSchema }) { id }: { id: string }): Promise<void> {
    const { ended, silent } = await this.fleet.end(id);
    if (ended) return;
    if (silent.length === 0) throw notFound('stream');
    const names = silent.join(', ');
    throw new ProblemException(
      503,
      `There is no such stream on the replicas that have answered; ${names} did not.`,
      undefined,
      RETRY_SECONDS,
    );
  }
}

function toConnectionView(connection: OpenConnection): z.input<typeof connectionView> {
  const { id, replica, transport, client, userId, tokenId, openedAt, state, waiting, cursor, lag } =
    connection;
  return {
    id,
    replica,
    transport,
    client,
    user_id: userId ?? null,
    token_id: tokenId,
    opened_utc: new Date(openedAt),
    age_seconds: connection.ageSeconds,
    state,
    waiting,
    pending_bytes: connection.pendingBytes,
    cursor,
    lag,
  };
}
