import { Script } from './script.js';

/**
 * Appends messages in order, unless the log has all that one stands for, and drops what exceeds the limits. Replies for each
 * `{'appended', ID, EPOCH}`, or `{'double', ID}` with the id of a critical message and an empty string otherwise.
 *
 * Until a log is filled it takes a refill only, and from then on everything else only: so what is retained from before it
 * comes first, and pushes nothing out that is newer. Replies `nil` to what it does not take, and where there is no log.
 *
 * An entry's field `h` is `PREVIOUS-ID EPOCH NUMBER WEIGHT-BEFORE`. `WEIGHT-BEFORE` counts all that was ever appended, so
 * that the weight that the stream holds is one subtraction.
 */
export const appendScript = new Script(`#!lua
local log, criticals, doubles, ids, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local capacity, criticalCapacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local retentionMs, doubleMs, isRefill = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
-- Of each message: delivery, weight, record ids, and names and values of three fields.
local FIRST, EACH = 6, 9
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local values = redis.call('HMGET', state, 'epoch', 'last', 'number', 'weight', 'filled')
local epoch, last = values[1], values[2] or '0-0'
if not epoch or (epoch == values[5]) == isRefill then return nil end
local number, total, hasCritical = tonumber(values[3] or 0), tonumber(values[4] or 0), false

local function known(recordIds)
  for _, recordId in ipairs(recordIds) do
    if not redis.call('ZSCORE', doubles, recordId) then return false end
  end
  return #recordIds > 0
end

local function append(at)
  local delivery, weight, recordIds = ARGV[at], tonumber(ARGV[at + 1]), cjson.decode(ARGV[at + 2])
  if known(recordIds) then return {'double', redis.call('HGET', ids, recordIds[1]) or ''} end
  number = number + 1
  local fields = {'h', last .. ' ' .. epoch .. ' ' .. number .. ' ' .. string.format('%.0f', total)}
  for field = at + 3, at + EACH - 1 do fields[#fields + 1] = ARGV[field] end
  last = redis.call('XADD', log, '*', unpack(fields))
  total = total + weight
  for _, recordId in ipairs(recordIds) do
    redis.call('ZADD', doubles, now + (delivery == 'critical' and retentionMs or doubleMs), recordId)
    if delivery == 'critical' then redis.call('HSET', ids, recordId, epoch .. '.' .. last) end
  end
  if delivery == 'critical' then
    redis.call('XADD', criticals, last, unpack(fields))
    hasCritical = true
  end
  return {'appended', last, epoch}
end

local expired = redis.call('ZRANGEBYSCORE', doubles, '-inf', now, 'LIMIT', 0, 20 * (#ARGV - FIRST + 1) / EACH)
if #expired > 0 then
  redis.call('ZREM', doubles, unpack(expired))
  redis.call('HDEL', ids, unpack(expired))
end
local replies, before = {}, number
for at = FIRST, #ARGV, EACH do replies[#replies + 1] = append(at) end
if number == before then return replies end
redis.call('HSET', state, 'last', last, 'number', number, 'weight', string.format('%.0f', total))

local floor
while redis.call('XLEN', log) > 1 do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  local head
  for at = 1, #oldest[2], 2 do if oldest[2][at] == 'h' then head = oldest[2][at + 1] end end
  if total - tonumber(string.match(head, '%d+$')) <= capacity then break end
  redis.call('XDEL', log, oldest[1])
  floor = oldest[1]
end
if floor then redis.call('HSET', state, 'floor', floor) end

local criticalFloor
while hasCritical do
  local oldest = redis.call('XRANGE', criticals, '-', '+', 'COUNT', 1)[1]
  local isOld = tonumber(string.match(oldest[1], '^%d+')) < now - retentionMs
  if not isOld and redis.call('XLEN', criticals) <= criticalCapacity then break end
  redis.call('XDEL', criticals, oldest[1])
  criticalFloor = oldest[1]
end
if criticalFloor then redis.call('HSET', state, 'criticalFloor', criticalFloor) end
return replies
`);

/**
 * The log's state: `{EPOCH, LAST, NUMBER, FLOOR, CRITICAL-FLOOR, SINCE, IS-FILLED}`. A server that has no log gets an empty
 * one, also when it is full: what it has can still be read. `SINCE` is the last entry of the epoch before: what is up to it is
 * of a log that lost some entries. `IS-FILLED`: whether it has all critical messages that were recorded before it began.
 */
export const stateScript = new Script(`#!lua flags=allow-oom
local state, newEpoch = KEYS[1], ARGV[1]
redis.call('HSETNX', state, 'epoch', newEpoch)
local values = redis.call('HMGET', state, 'epoch', 'last', 'number', 'floor', 'criticalFloor', 'since', 'filled')
return {
  values[1], values[2] or '0-0', values[3] or '0', values[4] or '0-0', values[5] or '0-0', values[6] or '0-0',
  values[7] == values[1] and '1' or '0'
}
`);

/** Begins a new epoch, unless somebody did already: cursors of the old one no longer resume. */
export const newEpochScript = new Script(`#!lua flags=allow-oom
local state, oldEpoch, newEpoch = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HGET', state, 'epoch') == oldEpoch then
  redis.call('HSET', state, 'epoch', newEpoch, 'since', redis.call('HGET', state, 'last') or '0-0')
end
return 'OK'
`);

/** Notes that the log of this epoch has all critical messages that were recorded before it began. */
export const filledScript = new Script(`#!lua flags=allow-oom
redis.call('HSET', KEYS[1], 'filled', ARGV[1])
return 'OK'
`);
