import { Script } from './script.js';

/*
 * Every script begins with the same two arguments and the same key. A lease counts if its incarnation lives: if its last
 * heartbeat is not too long ago, by Redis' own clock. They run on a full server, too: who has to release leases to make
 * room must be able to.
 */
const BEGIN = `#!lua flags=allow-oom
local replicas, incarnation, dead_after = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = {}
local function lives(one)
  if known[one] == nil then
    local beat = redis.call('ZSCORE', replicas, one)
    known[one] = beat and now - tonumber(beat) < dead_after
  end
  return known[one]
end

local function holds(lease, connection)
  local one = redis.call('HGET', lease, connection)
  return one and lives(one)
end

-- How many leases of an owner count. Only where there may be too many.
local counts = {}

-- Whether a lease of this connection fits beside those of others.
local function fits(lease, limit, connection)
  if redis.call('HLEN', lease) < limit then return true end
  if counts[lease] == nil then
    counts[lease] = 0
    for _, one in ipairs(redis.call('HVALS', lease)) do
      if lives(one) then counts[lease] = counts[lease] + 1 end
    end
  end
  return counts[lease] < limit or (counts[lease] == limit and holds(lease, connection))
end

local function hold(lease, held, connection, owner)
  if counts[lease] and not holds(lease, connection) then counts[lease] = counts[lease] + 1 end
  redis.call('HSET', lease, connection, incarnation)
  redis.call('SADD', held, connection .. ' ' .. owner)
end
`;

/**
 * Keys: replicas, taken. Arguments: incarnation, dead after, `begin` or `beat`, the most of each list to answer.
 * Answers incarnations that are dead, and what was taken over from this one; nothing if it has lapsed itself.
 */
export const HEARTBEAT = new Script(`${BEGIN}
if ARGV[3] == 'beat' and not lives(incarnation) then return false end
redis.call('ZADD', replicas, now, incarnation)
return {
  redis.call('ZRANGEBYSCORE', replicas, '-inf', now - dead_after, 'LIMIT', 0, ARGV[4]),
  redis.call('SRANDMEMBER', KEYS[2], ARGV[4]),
}`);

/**
 * Keys: replicas, held, held and taken of the incarnation to take over from, then a lease for each owner. Arguments:
 * incarnation, dead after, connection, connection to take over from, its incarnation, then owner and limit of each lease.
 * Answers the outcome, and the owner whose leases are all taken.
 */
export const ACQUIRE = new Script(`${BEGIN}
if not lives(incarnation) then return {'lapsed'} end
local connection, old, other = ARGV[3], ARGV[4], ARGV[5]
local takes_over = lives(other)
for at = 5, #KEYS do
  takes_over = takes_over and redis.call('HGET', KEYS[at], old) == other
end
for at = 5, #KEYS do
  local owner, limit = ARGV[2 * at - 4], tonumber(ARGV[2 * at - 3])
  if not takes_over and not fits(KEYS[at], limit, connection) then return {'full', owner} end
end
for at = 5, #KEYS do
  local owner = ARGV[2 * at - 4]
  if takes_over then
    redis.call('HDEL', KEYS[at], old)
    redis.call('SREM', KEYS[3], old .. ' ' .. owner)
  end
  hold(KEYS[at], KEYS[2], connection, owner)
end
if not takes_over then return {'acquired'} end
if other ~= incarnation then redis.call('SADD', KEYS[4], old .. ' ' .. connection) end
return {'taken_over'}`);

/**
 * Keys: replicas, held, then every lease that is named. Arguments: incarnation, dead after, and as JSON the connections,
 * each with its leases (the number of the key, owner, limit) and the successor that has taken its lease over, if any.
 * Answers what became of each, or nothing if the incarnation has lapsed.
 */
export const REACQUIRE = new Script(`${BEGIN}
if not lives(incarnation) then return false end
local function reacquire(one)
  if one.successor then
    local other = redis.call('HGET', KEYS[one.leases[1][1]], one.successor)
    if other and lives(other) then return 'replaced' end
  end
  for _, lease in ipairs(one.leases) do
    if not fits(KEYS[lease[1]], lease[3], one.connection) then return 'lost' end
  end
  for _, lease in ipairs(one.leases) do hold(KEYS[lease[1]], KEYS[2], one.connection, lease[2]) end
  return 'kept'
end
local outcomes = {}
for at, one in ipairs(cjson.decode(ARGV[3])) do outcomes[at] = reacquire(one) end
return outcomes`);

/** Keys: held, then leases. Arguments: connection and owner of each. Whose incarnation a lease is does not matter. */
export const RELEASE = new Script(`#!lua flags=allow-oom
for at = 2, #KEYS do
  local connection, owner = ARGV[2 * at - 3], ARGV[2 * at - 2]
  redis.call('HDEL', KEYS[at], connection)
  redis.call('SREM', KEYS[1], connection .. ' ' .. owner)
end`);

/**
 * Removes what a dead incarnation left, or ends this one first. Keys: replicas, held, taken, then leases. Arguments:
 * incarnation, dead after, `dead` or `end`, then connection and owner of each lease. Answers how many leases are left.
 */
export const SWEEP = new Script(`${BEGIN}
if ARGV[3] == 'end' then
  redis.call('ZADD', replicas, 'XX', 0, incarnation)
elseif lives(incarnation) then
  return 0
end
for at = 4, #KEYS do
  local connection, owner = ARGV[2 * at - 4], ARGV[2 * at - 3]
  -- Its connection may have acquired it again since.
  if redis.call('HGET', KEYS[at], connection) == incarnation then redis.call('HDEL', KEYS[at], connection) end
  redis.call('SREM', KEYS[2], connection .. ' ' .. owner)
end
local left = redis.call('SCARD', KEYS[2])
if left == 0 then
  redis.call('DEL', KEYS[3])
  redis.call('ZREM', replicas, incarnation)
end
return left`);
