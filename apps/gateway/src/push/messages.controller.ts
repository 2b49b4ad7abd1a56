import { Body, Controller, Headers, Post } from '@nestjs/common';
import { ApiBody, ApiHeader } from '@nestjs/swagger';
import { z } from 'zod';
import { Answers } from '../http/answers.js';
import { TakesBody } from '../http/body-limits.js';
import { invalid, type Fault } from '../http/problem.js';
import { uuid } from '../http/schemas.js';
import { isTooDeep, MAX_DEPTH } from '../parsing/text.js';
import { Allow, CallingService, type ServiceCaller } from '../access/caller.js';
import { ServiceMessages, type ServiceMessage } from './service-messages.js';

const MOST = 100;
const KEY = /^[\x21-\x7e]{1,255}$/;

const envelope = z.object({
  type: z.string('must be the name of a message type'),
  message: z
    .looseObject({}, 'must be an object')
    .refine((message) => !isTooDeep(message), `must not be nested more than ${MAX_DEPTH} deep`)
    .transform(readIds),
});
const idsView = z.object({ ids: z.array(z.uuid()).readonly() });

const one = z.toJSONSchema(envelope, { io: 'input', target: 'openapi-3.0' });
const messagesBody = {
  oneOf: [one, { type: 'array', items: one, minItems: 1, maxItems: MOST }],
} as Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema'];

/** Where services publish. */
@Controller('api/v2/push/messages')
export class MessagesController {
  constructor(private readonly messages: ServiceMessages) {}

  @Post()
  @Allow('publisher')
  @TakesBody('published')
  @ApiBody({ schema: messagesBody })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'Identifies the request for 24 hours: a repeated request gets the same response and publishes nothing.',
    schema: { type: 'string', maxLength: 255 },
  })
  @Answers('Publishes one message, or up to 100, all or none', {
    status: 202,
    body: idsView,
    also: { 409: 'The `Idempotency-Key` came with another body before.' },
  })
  async publish(
    @CallingService() caller: ServiceCaller,
    @Headers('idempotency-key') key: string | undefined,
    @Body() body: unknown,
  ): Promise<z.input<typeof idsView>> {
    if (key !== undefined && !KEY.test(key)) {
      throw invalid([
        { path: 'Idempotency-Key', message: 'must have 1 to 255 visible ASCII characters, without spaces' },
      ]);
    }
    return { ids: await this.messages.publish(caller, readMessages(body), key) };
  }
}

/** Normalizes UUIDs, which our ids are. Other ids stay as they are. */
function readIds(message: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(message).map(([name, value]) => {
      const id = name === 'id' || name.endsWith('_id') ? uuid.safeParse(value) : undefined;
      return [name, id?.success === true ? id.data : value];
    }),
  );
}

function readMessages(body: unknown): readonly ServiceMessage[] {
  const list: readonly unknown[] = Array.isArray(body) ? body : [body];
  if (list.length === 0 || list.length > MOST) {
    throw invalid([{ path: '', message: `must be one message or an array of 1 to ${MOST}` }]);
  }
  const faults: Fault[] = [];
  const messages = list.flatMap((item, index) => {
    const path = Array.isArray(body) ? String(index) : '';
    const read = envelope.safeParse(item);
    if (read.success) return [{ path, envelope: read.data }];
    for (const { path: inside, message } of read.error.issues) {
      faults.push({ path: [path, ...inside].filter((part) => part !== '').join('.'), message });
    }
    return [];
  });
  if (faults.length > 0) throw invalid(faults);
  return messages;
}
