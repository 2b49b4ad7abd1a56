import { hostsOf, type RedisAddress } from './address.js';
import type { RedisConnection } from './connection.js';
import { asFault } from './client-fault.js';
import { denied, RedisFault } from './fault.js';
import { Script } from './script.js';

/** Redis 7.0 has the functions of Lua that the scripts use. */
const LEAST_MAJOR = 7;

/**
 * Each command that we send, or that a script of ours runs, with a key of the log, of leases and doubles (`{…}`) or of a
 * limit (`limit`). What only connects is not here: it was needed to come this far.
 */
export const COMMANDS: readonly (readonly string[])[] = [
  ...['XRANGE', 'XREVRANGE'].map((name) => [name, 'tag', '-', '+']),
  ['XADD', 'tag', '*', 'field', 'value'],
  ['XDEL', 'tag', '0-1'],
  ['XREAD', 'STREAMS', 'tag', '0'],
  ...['XLEN', 'HLEN', 'HVALS', 'SRANDMEMBER', 'SCARD', 'DEL'].map((name) => [name, 'tag']),
  ...['HGET', 'HMGET', 'HDEL', 'ZSCORE', 'ZREM', 'SADD', 'SREM', 'RPUSH'].map((name) => [
    name,
    'tag',
    'member',
  ]),
  ...['HSET', 'HSETNX'].map((name) => [name, 'tag', 'field', 'value']),
  ['ZADD', 'tag', '1', 'member'],
  ...['ZRANGE', 'ZRANGEBYSCORE', 'ZREMRANGEBYSCORE', 'LRANGE'].map((name) => [name, 'tag', '0', '1']),
  ['PEXPIRE', 'tag', '1'],
  ['TIME'],
  ['PING'],
  ['INFO'],
  ['EVALSHA', 'sha', '1', 'tag'],
  ['EVAL', 'return 1', '1', 'tag'],
  ['GET', 'limit'],
  ['PTTL', 'limit'],
  ['SET', 'limit', '1', 'PX', '1'],
  ['DEL', 'limit'],
];

/** Answers those of the commands, one in each argument as JSON, that this user may not run. */
const FORBIDDEN = new Script(`#!lua flags=no-writes
local forbidden = {}
for _, text in ipairs(ARGV) do
  local command = cjson.decode(text)
  local known, allowed = pcall(redis.acl_check_cmd, unpack(command))
  if not known or not allowed then forbidden[#forbidden + 1] = text end
end
return forbidden
`);

/** What `INFO` says of a server. */
export interface ServerInfo {
  readonly version: string;
  readonly evictionPolicy: string;
  readonly isReplica: boolean;
  readonly isCluster: boolean;
  readonly isSentinel: boolean;
}

/** Reads the answer to `INFO`. A field that a server leaves out is read as harmless. */
export function readServerInfo(info: string): ServerInfo {
  const fields = new Map(
    info.split(/\r?\n/).map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1)];
    }),
  );
  return {
    version: fields.get('redis_version') ?? '',
    evictionPolicy: fields.get('maxmemory_policy') ?? 'noeviction',
    isReplica: fields.get('role') === 'slave',
    isCluster: fields.get('cluster_enabled') === '1',
    isSentinel: fields.get('redis_mode') === 'sentinel',
  };
}

/** The sentence about a server that cannot be used; undefined: it can. */
export function faultOf(server: ServerInfo, address: RedisAddress): string | undefined {
  const redis = `Redis at ${hostsOf(address)}`;
  if (server.isSentinel) {
    return `${redis} is a Sentinel; its address must start with redis+sentinel:// and end with the name of the master.`;
  }
  if (!(Number.parseInt(server.version, 10) >= LEAST_MAJOR)) {
    return `${redis} is version ${server.version || 'unknown'}; version 7.0 or later is needed, or any Valkey.`;
  }
  if (server.isCluster && address.kind !== 'cluster') {
    return `${redis} is a node of a Cluster; its address must start with redis+cluster://.`;
  }
  if (server.isReplica) return `${redis} is a replica, which is read-only; the address must be its master's.`;
  if (server.evictionPolicy.startsWith('allkeys-')) {
    return `${redis} evicts any key when its memory is full (maxmemory-policy ${server.evictionPolicy}), and messages would be lost silently; set it to noeviction or to a policy that starts with volatile-.`;
  }
  return undefined;
}

/**
 * Checks that the server of this prefix can do what we need, and that this user may.
 * @throws RedisFault with a sentence
 */
export async function checkServer(
  connection: RedisConnection,
  address: RedisAddress,
  prefix: string,
): Promise<void> {
  const tag = `{${prefix}}:check`;
  try {
    const fault = faultOf(readServerInfo(String(await connection.send(tag, ['INFO']))), address);
    if (fault !== undefined) throw new RedisFault(fault);
    const names: Readonly<Record<string, string>> = { tag, limit: `${prefix}:limit:check` };
    const commands = COMMANDS.map((command) => JSON.stringify(command.map((part) => names[part] ?? part)));
    const forbidden = (await connection.run(FORBIDDEN, [tag], commands)) as readonly string[];
    if (forbidden.length > 0) throw new RedisFault(forbids(address, forbidden));
  } catch (error) {
    throw asFault(error, address);
  }
}

/** Commands that a sentence names at most. */
const NAMED = 6;

function forbids(address: RedisAddress, commands: readonly string[]): string {
  const read = commands.map((text) => JSON.parse(text) as string[]);
  const names = [...new Set(read.map(([name = '']) => name))];
  const rest = names.length > NAMED ? ` and ${names.length - NAMED} more commands` : '';
  return denied(address, names.slice(0, NAMED).join(', ') + rest);
}
