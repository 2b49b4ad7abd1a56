import { Controller, Delete, Get, Param, Query } from '@nestjs/common';
import { Connections, type OpenConnection } from '@crossfade/push';
import { z } from 'zod';
import { Allow } from '../access/caller.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { idSchema, instant } from '../http/schemas.js';

const connectionView = z.object({
  id: z.uuid(),
  transport: z.enum(['sse', 'websocket']),
  client: z.string(),
  user_id: z.uuid().nullable(),
  token_id: z.uuid(),
  opened_utc: instant,
});

/** The open streams of this replica, for administrators. */
@Controller('api/v2/push/connections')
@Allow('administrator')
export class ConnectionsController {
  constructor(private readonly connections: Connections) {}

  @Get()
  @Answers('The open streams of this replica, newest first', { body: connectionView, list: true })
  list(@Query({ schema: paging }) query: Paging) {
    return Page.cut(this.connections.list(), query).map(toConnectionView);
  }

  @Delete(':id')
  @Answers('Ends a stream; its client is told to reconnect', {
    status: 204,
    also: { 404: 'There is no such stream on this replica.' },
  })
  end(@Param({ schema: idSchema }) { id }: { id: string }): void {
    if (!this.connections.end(id)) throw notFound('stream');
  }
}

function toConnectionView({
  id,
  transport,
  client,
  userId,
  tokenId,
  openedAt,
}: OpenConnection): z.input<typeof connectionView> {
  return {
    id,
    transport,
    client,
    user_id: userId ?? null,
    token_id: tokenId,
    opened_utc: new Date(openedAt),
  };
}
