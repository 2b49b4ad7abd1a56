import { randomBytes } from 'node:crypto';
import { pause, systemClock, type Clock } from '../clock.js';
import type { Answer, Answers, Replicas } from '../replicas.js';
import type { RedisConnection } from './connection.js';
import { textsOf } from './reply.js';
import { Script } from './script.js';

export interface RedisReplicasOptions {
  readonly commands: RedisConnection;
  /** A connection of its own, for reads that wait for questions. */
  readonly questions: RedisConnection;
  readonly prefix: string;
  /** Names this replica for operators. Two of one name are told apart by what follows it. */
  readonly name: string;
  readonly clock?: Clock;
}

/** How long a read waits for a question. Each one also says that this replica lives. */
const BLOCK_MS = 1000;
const READ_MARGIN_MS = 2000;
/** A replica that has not read for so long is dead. */
const DEAD_MS = 10_000;
const RETRY_MS = 500;
/** Between two looks at the answers. */
const POLL_MS = 20;
/** Questions that Redis keeps. Older ones are answered, or nobody waits for them any more. */
const KEPT = 100;
const ANSWERS_KEPT_MS = 10_000;

/** Keys: members. Arguments: member, milliseconds after which others are dead. Returns those that live. */
const livesScript = new Script(`#!lua flags=allow-oom
local members, member, deadMs = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if member ~= '' then redis.call('ZADD', members, now, member) end
redis.call('ZREMRANGEBYSCORE', members, '-inf', now - deadMs)
return redis.call('ZRANGE', members, 0, -1)
`);

/** Keys: a question's answers. Arguments: the replica's answer, and how long they are kept. */
const answerScript = new Script(`#!lua
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'OK'
`);

/** Asks the other replicas through Redis: questions are a stream that all read, answers a list for each question. */
export class RedisReplicas implements Replicas {
  readonly name: string;
  /** The name, and what tells this process from another one with it. */
  readonly #member: string;
  readonly #members: string;
  readonly #asked: string;
  #isClosed = false;
  /** Those that lived when it was looked at last, without this one. */
  #others: readonly string[] = [];
  #onError: (error: unknown, doing: string) => void = () => undefined;

  constructor(private readonly options: RedisReplicasOptions) {
    this.name = options.name;
    this.#member = `${options.name} ${randomBytes(6).toString('base64url')}`;
    this.#members = `{${options.prefix}}:members`;
    this.#asked = `{${options.prefix}}:questions`;
  }

  start(answer: Answer, onError: (error: unknown, doing: string) => void): void {
    this.#onError = onError;
    void this.#run(answer);
  }

  async ask(question: unknown, milliseconds: number): Promise<Answers> {
    const { clock = systemClock } = this.options;
    const until = clock.elapsed() + milliseconds;
    const left = (): number => Math.max(POLL_MS, until - clock.elapsed());
    const answers = new Map<string, unknown>();
    try {
      this.#others = await this.#living('', left());
      const key = await this.#put(question, left());
      while (this.#others.some((member) => !answers.has(member)) && clock.elapsed() < until) {
        await pause(clock, POLL_MS);
        for (const text of textsOf(
          await this.options.commands.send(key, ['LRANGE', key, '0', '-1'], left()),
        )) {
          const { member, answer } = JSON.parse(text) as { member: string; answer: unknown };
          answers.set(member, answer);
        }
      }
    } catch (error) {
      // Without Redis, nobody can be asked. The replicas that lived a moment ago count as silent.
      this.#onError(error, 'asking the other replicas');
    }
    return {
      answers: [...answers].map(([member, answer]) => ({ replica: nameOf(member), answer })),
      silent: this.#others.filter((member) => !answers.has(member)).map(nameOf),
    };
  }

  /** Asks, and returns the key of the answers. */
  async #put(question: unknown, deadlineMs: number): Promise<string> {
    const id = randomBytes(12).toString('base64url');
    const said = JSON.stringify({ id, from: this.#member, question });
    const add = ['XADD', this.#asked, 'MAXLEN', '~', String(KEPT), '*', 'q', said];
    await this.options.commands.send(this.#asked, add, deadlineMs);
    return this.#answersOf(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const { commands } = this.options;
    await commands.send(this.#members, ['ZREM', this.#members, this.#member]).catch(() => undefined);
  }

  async #run(answer: Answer): Promise<void> {
    let last: string | undefined;
    while (!this.#isClosed) {
      try {
        last ??= await this.#newest();
        this.#others = await this.#living(this.#member);
        for (const { id, text } of await this.#read(last)) {
          last = id;
          await this.#answer(text, answer);
        }
      } catch (error) {
        if (this.#isClosed) return;
        this.#onError(error, 'waiting for questions of other replicas');
        await pause(this.options.clock ?? systemClock, RETRY_MS);
        // What was asked meanwhile, nobody waits for. A server that lost its data begins anew.
        last = undefined;
      }
    }
  }

  async #newest(): Promise<string> {
    const reply = await this.options.commands.send(this.#asked, [
      'XREVRANGE',
      this.#asked,
      '+',
      '-',
      'COUNT',
      '1',
    ]);
    const [[id = '0-0'] = []] = (Array.isArray(reply) ? reply : []) as string[][];
    return id;
  }

  async #read(after: string): Promise<{ readonly id: string; readonly text: string }[]> {
    const key = this.#asked;
    const command = ['XREAD', 'BLOCK', String(BLOCK_MS), 'STREAMS', key, after];
    const reply = await this.options.questions.send(key, command, BLOCK_MS + READ_MARGIN_MS);
    const [[, entries = []] = []] = (reply ?? []) as [string, [string, string[]][]][];
    return entries.map(([id, fields]) => ({ id, text: fields[1] ?? '' }));
  }

  async #answer(text: string, answer: Answer): Promise<void> {
    try {
      const { id, from, question } = JSON.parse(text) as { id: string; from: string; question: unknown };
      if (from === this.#member) return;
      const said = JSON.stringify({ member: this.#member, answer: (await answer(question)) ?? null });
      await this.options.commands.run(answerScript, [this.#answersOf(id)], [said, String(ANSWERS_KEPT_MS)]);
    } catch (error) {
      this.#onError(error, 'answering another replica');
    }
  }

  /** The others that live. `member`: this one says that it does. */
  async #living(member: string, deadlineMs?: number): Promise<string[]> {
    const asked = [member, String(DEAD_MS)];
    const living = await this.options.commands.run(livesScript, [this.#members], asked, deadlineMs);
    return textsOf(living).filter((one) => one !== this.#member);
  }

  #answersOf(id: string): string {
    return `${this.#asked}:${id}`;
  }
}

const nameOf = (member: string): string => member.split(' ', 1)[0] ?? member;
