import { isIPv6 } from 'node:net';

/** A host and its port. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is, and how to log in. */
export interface RedisAddress {
  /** `cluster` gives failover, not sharding: all keys but those of limits are in one slot. */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** At least one; several of a Sentinel or a Cluster. */
  readonly nodes: readonly RedisNode[];
  /** What the Sentinels call the master. */
  readonly master?: string;
  readonly username?: string;
  readonly password?: string;
  /** Of a single server or behind Sentinels; a Cluster has only 0. */
  readonly database?: number;
  readonly tls: boolean;
}

/** What an address must be, as the rest of a sentence: "must name a host, …". It repeats nothing of the address. */
export interface AddressFault {
  readonly fault: string;
}

const SCHEME = /^(rediss?)(?:\+(sentinel|cluster))?:\/\//;
const HOST = /^[a-z\d][\w.-]*$/i;
const MASTER = /^[\w.:-]+$/;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/**
 * Reads `redis://[user:password@]host[:port][/database]`, `redis+sentinel://…@host[:port],…/MASTER[/database]` or
 * `redis+cluster://…@host[:port],…`; `rediss` instead of `redis`: with TLS. User and password are percent-encoded, an IPv6
 * address is in brackets. Ports are 6379 by default, and those of Sentinels 26379.
 */
export function readRedisAddress(text: string): RedisAddress | AddressFault {
  const [start, scheme, form = 'single'] = SCHEME.exec(text) ?? [];
  if (start === undefined) {
    return {
      fault:
        'must start with redis://, redis+sentinel:// or redis+cluster://, or for TLS with rediss://, rediss+sentinel:// or rediss+cluster://',
    };
  }
  const kind = form as RedisAddress['kind'];
  const rest = text.slice(start.length);
  // A password may have any character, other parts have no "@".
  const at = rest.lastIndexOf('@');
  const login = at < 0 ? {} : readLogin(rest.slice(0, at));
  if ('fault' in login) return login;
  const location = rest.slice(at + 1);
  if (/[?#]/.test(location)) return { fault: 'must have neither a query nor a fragment' };
  const [hosts = '', ...path] = location.split('/');
  const nodes = readNodes(hosts, kind);
  if ('fault' in nodes) return nodes;
  const target = readPath(path, kind);
  if ('fault' in target) return target;
  return { kind, nodes, tls: scheme === 'rediss', ...login, ...target };
}

type Login = Pick<RedisAddress, 'username' | 'password'>;

function readLogin(text: string): Login | AddressFault {
  const colon = text.indexOf(':');
  if (colon < 0 || colon === text.length - 1) {
    return { fault: 'must have user:password or :password before its "@"' };
  }
  try {
    const username = decodeURIComponent(text.slice(0, colon));
    const password = decodeURIComponent(text.slice(colon + 1));
    return username === '' ? { password } : { username, password };
  } catch {
    return { fault: 'must have its user and its password percent-encoded: a "%" in them is %25' };
  }
}

function readNodes(text: string, kind: RedisAddress['kind']): readonly RedisNode[] | AddressFault {
  const nodes: RedisNode[] = [];
  for (const part of text.split(',')) {
    const node = readNode(part, kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT);
    if ('fault' in node) return node;
    nodes.push(node);
  }
  if (kind === 'single' && nodes.length > 1) {
    return {
      fault: 'must name one host; several are for redis+sentinel:// and redis+cluster://',
    };
  }
  return nodes;
}

function readNode(text: string, defaultPort: number): RedisNode | AddressFault {
  const [, bracketed, named, given] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? named;
  if (host === undefined || !(bracketed === undefined ? HOST.test(host) : isIPv6(host))) {
    return { fault: 'must name a host, like redis.example.com, 192.0.2.7:6380 or [2001:db8::7]:6380' };
  }
  const port = given === undefined ? defaultPort : Number(given);
  if (port < 1 || port > 65_535) return { fault: 'must have ports from 1 to 65535' };
  return { host, port };
}

type Target = Pick<RedisAddress, 'master' | 'database'>;

function readPath(path: readonly string[], kind: RedisAddress['kind']): Target | AddressFault {
  const given = path.length === 1 && path[0] === '' ? [] : path;
  if (kind === 'cluster') {
    return given.length === 0 ? {} : { fault: 'must end after its hosts: a Cluster has only database 0' };
  }
  const [master, ...after] = kind === 'sentinel' ? given : [undefined, ...given];
  if (kind === 'sentinel' && (master === undefined || !MASTER.test(master))) {
    return { fault: 'must name the master after the Sentinels, like redis+sentinel://host:26379/mymaster' };
  }
  const [database, ...more] = after;
  if (more.length > 0 || (database !== undefined && !/^\d{1,5}$/.test(database))) {
    return { fault: 'must end with the number of a database, or without one' };
  }
  return {
    ...(master === undefined ? {} : { master }),
    ...(database === undefined ? {} : { database: Number(database) }),
  };
}

/** Its hosts and ports, for a sentence or a log line: without user and password. */
export const hostsOf = ({ nodes }: Pick<RedisAddress, 'nodes'>): string =>
  nodes.map(({ host, port }) => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`)).join(', ');
