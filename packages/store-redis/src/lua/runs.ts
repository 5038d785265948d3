import { type Script, script } from '../script.ts'

// KEYS[1] is the run, a hash; KEYS[2] its events, a stream whose entries are batches. The id of an entry is the `seq` of
// its last event. A `token` names one call: a client that lost the answer sends the call again, and gets the same answer.

/** ARGV: now, token, leaseMs, recordMs, record, summary */
export const createRun: Script = script(`
local run = redis.call('HMGET', KEYS[1], 'holder', 'fence', 'tail')
if run[2] then
  if run[1] == ARGV[2] and run[2] == '1' then return {'acquired', '1', run[3]} end
  return {'exists'}
end
redis.call('HSET', KEYS[1], 'record', ARGV[5], 'summary', ARGV[6], 'size', #ARGV[5], 'fence', '1', 'tail', '0', 'holder', ARGV[2],
  'lease', int(now() + ARGV[3]))
redis.call('DEL', KEYS[2])
redis.call('PEXPIRE', KEYS[1], int(ARGV[3] + ARGV[4]))
return {'acquired', '1', '0'}`)

/** Takes back a run whose caller was told that it could not be stored. ARGV: now, token */
export const discardRun: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'holder', 'tail')
if run[1] == ARGV[2] and run[2] == '0' then redis.call('DEL', KEYS[1], KEYS[2]) end
return {}`,
  { whenFull: true },
)

/** ARGV: now, token, leaseMs, recordMs */
export const acquireRun: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'fence', 'tail', 'outcome', 'lease', 'holder', 'cancelled')
if not run[1] then return {'not_found'} end
if run[3] then return {'closed'} end
local fence = run[1]
if run[5] ~= ARGV[2] then
  local left = run[4] - now()
  if left > 0 then return {'held', int(left)} end
  fence = int(fence + 1)
  redis.call('HSET', KEYS[1], 'fence', fence, 'holder', ARGV[2], 'lease', int(now() + ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], int(ARGV[3] + ARGV[4]))
  redis.call('PEXPIRE', KEYS[2], int(ARGV[3] + ARGV[4]))
end
return {'acquired', fence, run[2], run[6] or nil}`,
  { whenFull: true },
)

/** ARGV: now, fence, leaseMs, recordMs */
export const renewRun: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'fence', 'outcome', 'cancelled')
if not run[1] then return {'not_found'} end
if run[2] then return {'closed'} end
if run[1] ~= ARGV[2] then return {'fenced'} end
redis.call('HSET', KEYS[1], 'lease', int(now() + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], int(ARGV[3] + ARGV[4]))
redis.call('PEXPIRE', KEYS[2], int(ARGV[3] + ARGV[4]))
return {'renewed', run[3] or nil}`,
  { whenFull: true },
)

/**
 * `behind`: some of the events are stored already; the caller leaves those out and asks again.
 *
 * ARGV: now, fence, token, channel, runBytes, eventsMs, recordMs, outcome or nothing, seq of the first event or nothing,
 * channel of its owner, then for each batch the seq of its last event and its JSON
 */
export const appendEvents: Script = script(`
local run = redis.call('HMGET', KEYS[1], 'fence', 'tail', 'outcome', 'closer', 'cancelled', 'size')
local fence, tail, outcome, closer, cancelled, size = unpack(run)
if not fence then return {'not_found'} end
if outcome then
  if closer == ARGV[3] then return {'appended', tail, cancelled or nil} end
  return {'closed'}
end
if fence ~= ARGV[2] then return {'fenced'} end
if ARGV[9] ~= '' then
  local first, stored = tonumber(ARGV[9]), tonumber(tail)
  if first > stored + 1 then return {'gap', tail} end
  if first <= stored then return {'behind', tail} end
  if stored > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return {'not_found'} end
  for index = 12, #ARGV, 2 do size = size + #ARGV[index] end
  if size > tonumber(ARGV[5]) then return {'full'} end
  for index = 11, #ARGV, 2 do
    redis.call('XADD', KEYS[2], ARGV[index] .. '-0', 'e', ARGV[index + 1])
    tail = ARGV[index]
  end
  redis.call('HSET', KEYS[1], 'tail', tail, 'size', int(size))
  if stored == 0 then redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1])) end
end
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[1], 'outcome', ARGV[8], 'closer', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  redis.call('PUBLISH', ARGV[10], '')
end
if ARGV[8] ~= '' or ARGV[9] ~= '' then redis.call('PUBLISH', ARGV[4], tail) end
return {'appended', tail, cancelled or nil}`)

/** ARGV: now, seq after which to read, entries at most */
export const readEvents: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'tail', 'outcome')
if not run[1] then return {'not_found'} end
local reply = {'found', run[1], run[2] and 'closed' or 'open'}
if tonumber(ARGV[2]) < tonumber(run[1]) then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])) do
    reply[#reply + 1] = entry[2][2]
  end
end
return reply`,
  { whenFull: true },
)

/** ARGV: now */
export const describeRun: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'record', 'tail', 'outcome', 'cancelled')
if not run[1] then return {} end
local kept = redis.call('EXISTS', KEYS[2]) == 1
return {run[1], run[2], kept and 'kept' or 'expired', run[3] or '', run[4] or nil}`,
  { whenFull: true },
)

/** ARGV: now, reason, channel */
export const cancelRun: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'fence', 'outcome')
if not run[1] or run[2] then return {'no'} end
redis.call('HSETNX', KEYS[1], 'cancelled', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return {'cancelled'}`,
  { whenFull: true },
)

/** What an owner waits for. ARGV: now */
export const awaitCancel: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'fence', 'outcome', 'cancelled')
if not run[1] or run[2] then return {'over'} end
return {'open', run[3] or nil}`,
  { whenFull: true },
)

/** ARGV: now */
export const summarizeRun: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'summary', 'outcome', 'cancelled')
if not run[1] then return {} end
return {run[1], run[2] or '', run[3] or nil}`,
  { whenFull: true },
)

/** ARGV: now, channel, channel of its owner */
export const deleteRun: Script = script(
  `
local summary = redis.call('HGET', KEYS[1], 'summary')
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('PUBLISH', ARGV[2], '')
redis.call('PUBLISH', ARGV[3], '')
return {summary or nil}`,
  { whenFull: true },
)

/** Whether a run is abandoned, and since or until when its lease holds. ARGV: now */
export const leaseOf: Script = script(
  `
local run = redis.call('HMGET', KEYS[1], 'lease', 'outcome')
if not run[1] then return {'not_found', '0'} end
if run[2] then return {'closed', '0'} end
return {tonumber(run[1]) <= now() and 'abandoned' or 'held', run[1]}`,
  { whenFull: true },
)

// KEYS[1] is the index of open runs: a sorted set of run ids, by a time before which nobody need look at the run.

/** ARGV: now, leaseMs, runId */
export const indexRun: Script = script(`
redis.call('ZADD', KEYS[1], int(now() + ARGV[2]), ARGV[3])
return {}`)

/** ARGV: now, how many to skip, how many at most. Replies with the time, then ids and scores in turn. */
export const dueRuns: Script = script(
  `
local reply = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now()), 'WITHSCORES', 'LIMIT', ARGV[2], ARGV[3])
table.insert(reply, 1, int(now()))
return reply`,
  { whenFull: true },
)

/** ARGV: now, runId, the new score or nothing to remove it */
export const settleIndex: Script = script(
  `
if ARGV[3] == '' then redis.call('ZREM', KEYS[1], ARGV[2])
else redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[2]) end
return {}`,
  { whenFull: true },
)
