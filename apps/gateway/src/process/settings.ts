import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { isRedisPrefix, readRedisAddress, type RedisAddress } from '@crossfade/push/redis';
import { z } from 'zod';
import { readNetwork } from '../parsing/address.js';
import { StartupError } from './startup-error.js';

const truth = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((text) => text === 'true' || text === '1');
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`);
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean),
);

const PROXIES =
  'must be true (one proxy), a number of proxies, or their addresses and networks, separated by commas, but no network of everybody';
/**
 * The proxies whose `X-Forwarded-For` is trusted. `true` is not Express' `true`, which trusts what the client itself sent:
 * then each request could choose its own address.
 */
const proxies = z.string().transform((text, context): number | string[] | false => {
  if (text === 'false' || text === '0') return false;
  if (text === 'true') return 1;
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const addresses = text.split(',').map((one) => one.trim());
  if (addresses.every((one) => readNetwork(one) !== undefined)) return addresses;
  context.addIssue(PROXIES);
  return z.NEVER;
});

/** How long the last stream of a drain, and then the program, may take after the last wave. */
const LAST_STREAM_SECONDS = 4;

/** Where people reach the gateway. Links are made from it, because nothing in a request can be trusted for that. */
const publicUrl = z
  .string()
  .refine((text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, search, hash, username, password } = new URL(text);
    return /^https?:$/.test(protocol) && search + hash + username + password === '';
  }, 'must be a URL like https://crossfade.example.com, without a query')
  .transform((text) => text.replace(/\/$/, ''));

const redisAddress = z.string().transform((text, context): RedisAddress => {
  const read = readRedisAddress(text);
  if (!('fault' in read)) return read;
  context.addIssue(read.fault);
  return z.NEVER;
});

/** What a replica may be called. */
export const REPLICA_NAME = /^[\w.-]{1,64}$/;
/** The name of the host, as far as it may be the name of a replica. */
const hostReplica = (): string =>
  hostname()
    .replace(/[^\w.-]/g, '-')
    .slice(0, 64) || 'gateway';

const DEPRECATED_PUSH = ['ENABLE_WEB_SOCKETS', 'EnableWebSockets'] as const;

/** Every setting of the gateway, by its name in the environment. */
const environment = z.object({
  PORT: whole(0, 65535).default(7110),
  HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: whole(0, 65535).default(9464),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres:// or postgresql://')
    .optional(),
  DATABASE_POOL_SIZE: whole(2, 1000).default(10),
  DATABASE_STATEMENT_TIMEOUT_SECONDS: whole(1, 3600).default(15),
  DATABASE_LOCK_TIMEOUT_SECONDS: whole(1, 3600).default(5),
  REDIS_URL: redisAddress.optional(),
  REDIS_PREFIX: z
    .string()
    .refine(isRedisPrefix, 'must be up to 64 letters, digits, "-", "_", "." and ":"')
    .default('crossfade'),
  REPLICA_NAME: z
    .string()
    .regex(REPLICA_NAME, 'must be up to 64 letters, digits, "-", "_" and "."')
    .default(hostReplica),
  DATA_DIR: z
    .string()
    .default('.data')
    .transform((path) => resolve(path)),
  DATA_DIR_RESERVE_MB: whole(16, 1_000_000).default(256),
  ENABLE_PUSH: truth.optional(),
  EnablePush: truth.optional(),
  ENABLE_WEB_SOCKETS: truth.optional(),
  EnableWebSockets: truth.optional(),
  ENABLE_SIGNUP: truth.default(false),
  PUBLIC_URL: publicUrl.optional(),
  MAILER: z.string().optional(),
  ADMIN_EMAIL: z.email('must be an e-mail address').optional(),
  ADMIN_PASSWORD: z.string().min(8, 'must have at least 8 characters').optional(),
  SAMPLE_DATA: truth.default(false),
  ALLOW_SAMPLE_DATA: truth.default(false),
  CORS_ORIGINS: list
    .refine(
      (origins) => origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin),
      'must be origins like https://app.example.com, separated by commas',
    )
    .default([]),
  TRUST_PROXY: proxies.default(false),
  API_THROTTLE_PER_MINUTE: whole(0, 1_000_000).default(600),
  INGEST_THROTTLE_PER_MINUTE: whole(0, 1_000_000).default(6000),
  INGEST_EVENTS_PER_MINUTE: whole(0, 100_000_000).default(100_000),
  BODY_SECONDS: whole(1, 3600).default(30),
  BODIES_PER_ADDRESS: whole(1, 100_000).default(64),
  BODY_MEMORY_MIB: whole(16, 65_536).default(128),
  MAX_ORGANIZATIONS_PER_ACCOUNT: whole(1, 1_000_000).default(100),
  MAX_SESSIONS_PER_ACCOUNT: whole(1, 1_000_000).default(100),
  MAX_MEMBERS_PER_ORGANIZATION: whole(1, 1_000_000).default(1000),
  MAX_INVITATIONS_PER_ORGANIZATION: whole(1, 1_000_000).default(100),
  MAX_PROJECTS_PER_ORGANIZATION: whole(1, 1_000_000).default(1000),
  MAX_TOKENS_PER_PROJECT: whole(1, 1_000_000).default(100),
  MAX_SERVICE_TOKENS: whole(1, 1_000_000).default(100),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be fatal, error, warn, info, debug, trace or silent',
    })
    .default('info'),
  PUSH_WRITE_QUEUE_CAPACITY: whole(1, 100_000).default(64),
  // At least enough for the gateway's own messages: a notification has a thousand characters, which may be escaped.
  PUSH_MAX_MESSAGE_BYTES: whole(8192, 2_097_152).default(2_097_152),
  PUSH_STALL_SECONDS: whole(1, 3600).default(30),
  PUSH_KEEP_ALIVE_SECONDS: whole(1, 3600).default(15),
  PUSH_MAX_CONNECTIONS_PER_USER: whole(1, 100_000).default(10),
  PUSH_MAX_CONNECTIONS_PER_ORGANIZATION: whole(1, 100_000).default(100),
  PUSH_LOG_CAPACITY: whole(1, 10_000_000).default(10_000),
  PUSH_CRITICAL_CAPACITY: whole(1, 1_000_000).default(1000),
  PUSH_CRITICAL_RETENTION_SECONDS: whole(1, 31_536_000).default(86_400),
  PUSH_REAUTHORIZE_SECONDS: whole(1, 86_400).default(30),
  PUSH_UNCONFIRMED_SECONDS: whole(0, 604_800).optional(),
  PUSH_HEARTBEAT_SECONDS: whole(1, 60).default(5),
  PUSH_DRAIN_SECONDS: whole(0, 3600).default(20),
  SHUTDOWN_TIMEOUT_SECONDS: whole(1, 3600).default(40),
  WATCHDOG_SECONDS: whole(0, 3600).default(30),
});

/** The environment, read once. */
export interface Settings extends Omit<
  z.output<typeof environment>,
  'ENABLE_PUSH' | 'EnablePush' | 'ENABLE_WEB_SOCKETS' | 'EnableWebSockets'
> {
  readonly enablePush: boolean;
  /** Sentences for the operator about the settings themselves. */
  readonly warnings: readonly string[];
}

/** Injects the `Settings`. */
export const SETTINGS = Symbol('SETTINGS');

/**
 * Reads all settings at once. An empty value counts as absent.
 * @throws StartupError that names every invalid setting
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const unknown = Object.keys(given).filter(
    (name) => name.startsWith('PUSH_') && !(name in environment.shape),
  );
  const known = Object.keys(environment.shape).filter((name) => name.startsWith('PUSH_'));
  const faults = unknown.map(
    (name) => `${name} is not a setting; those that start with PUSH_ are ${known.join(', ')}`,
  );
  const parsed = environment.safeParse(given);
  for (const issue of parsed.error?.issues ?? []) {
    faults.push(`${issue.path.join('.')} ${issue.message} (it is ${shown(String(issue.path[0]), given)})`);
  }
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = parsed.data ?? {};
  if (parsed.success && (email === undefined) !== (password === undefined)) {
    faults.push('ADMIN_EMAIL and ADMIN_PASSWORD must be set together');
  }
  if (parsed.data?.MAILER !== undefined && parsed.data.PUBLIC_URL === undefined) {
    faults.push('MAILER needs PUBLIC_URL, because a link in a mail must say where it leads');
  }
  if (parsed.data?.REDIS_URL !== undefined && parsed.data.DATABASE_URL === undefined) {
    faults.push('REDIS_URL needs DATABASE_URL, since no other replica can read an embedded database');
  }
  const { PORT: port, METRICS_PORT: metricsPort } = parsed.data ?? {};
  if (port !== undefined && port !== 0 && port === metricsPort) {
    faults.push(`PORT and METRICS_PORT must differ; both are ${port}`);
  }
  const { PUSH_DRAIN_SECONDS: drain = 0, SHUTDOWN_TIMEOUT_SECONDS: shutdown = Infinity } = parsed.data ?? {};
  if (drain + LAST_STREAM_SECONDS >= shutdown) {
    faults.push(
      `PUSH_DRAIN_SECONDS (${drain}) must be more than ${LAST_STREAM_SECONDS} less than SHUTDOWN_TIMEOUT_SECONDS (${shutdown}), so that streams are moved before the process ends`,
    );
  }
  const { PUSH_UNCONFIRMED_SECONDS: unconfirmed = 0, PUSH_REAUTHORIZE_SECONDS: reauthorize = 0 } =
    parsed.data ?? {};
  if (unconfirmed !== 0 && unconfirmed < 2 * reauthorize) {
    faults.push(
      `PUSH_UNCONFIRMED_SECONDS (${unconfirmed}) must be 0 or at least twice PUSH_REAUTHORIZE_SECONDS (${reauthorize}), so that one failed round ends no stream`,
    );
  }
  const {
    DATABASE_STATEMENT_TIMEOUT_SECONDS: statement = Infinity,
    DATABASE_LOCK_TIMEOUT_SECONDS: lock = 0,
  } = parsed.data ?? {};
  if (lock >= statement) {
    faults.push(
      `DATABASE_LOCK_TIMEOUT_SECONDS (${lock}) must be less than DATABASE_STATEMENT_TIMEOUT_SECONDS (${statement}), since a statement's time includes its waiting for locks`,
    );
  }
  if (!parsed.success || faults.length > 0) {
    throw new StartupError(`The settings are not valid: ${faults.join('; ')}.`);
  }
  const { ENABLE_PUSH, EnablePush, ENABLE_WEB_SOCKETS, EnableWebSockets, ...settings } = parsed.data;
  const deprecated = DEPRECATED_PUSH.filter((name) => parsed.data[name] !== undefined);
  return Object.freeze({
    ...settings,
    enablePush: ENABLE_PUSH ?? EnablePush ?? ENABLE_WEB_SOCKETS ?? EnableWebSockets ?? true,
    warnings: deprecated.map((name) => `${name} is deprecated; set ENABLE_PUSH instead.`),
  });
}

function shown(name: string, given: Record<string, string | undefined>): string {
  return /PASSWORD|URL/.test(name) ? 'not shown here' : JSON.stringify(given[name]);
}
