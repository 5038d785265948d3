import { type Script, script } from '../script.ts'

/** KEYS: value. ARGV: now */
export const getValue: Script = script(
  `
local entry = redis.call('HMGET', KEYS[1], 'version', 'json')
if not entry[1] then return {} end
return entry`,
  { whenFull: true },
)

/** KEYS: value. ARGV: now, token, expected version, JSON, channel */
export const setValue: Script = script(`
local entry = redis.call('HMGET', KEYS[1], 'version', 'setter')
local version = entry[1] or '0'
local changed = int(ARGV[3] + 1)
if entry[2] == ARGV[2] and version == changed then return {'set', version} end
if version ~= ARGV[3] then return {'conflict', version} end
redis.call('HSET', KEYS[1], 'json', ARGV[4], 'version', changed, 'setter', ARGV[2])
redis.call('PUBLISH', ARGV[5], changed)
return {'set', changed}`)

/** How long an add is remembered, in milliseconds, so that a client that sends it again counts once. */
const remembered = 60_000

/** KEYS: counters, units, calls. ARGV: now, token, "any" or "once", the unit, then name and amount in turn */
export const addCounters: Script = script(`
local isNew = redis.call('ZADD', KEYS[3], 'NX', now(), ARGV[2]) == 1
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now() - ${remembered})
redis.call('PEXPIRE', KEYS[3], ${remembered})
if isNew and ARGV[3] == 'once' then isNew = redis.call('SADD', KEYS[2], ARGV[4]) == 1 end
if isNew then
  for index = 5, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[index], ARGV[index + 1]) end
end
return redis.call('HGETALL', KEYS[1])`)

/** KEYS: counters. ARGV: now */
export const readCounters: Script = script(`return redis.call('HGETALL', KEYS[1])`, { whenFull: true })

/** KEYS: counters, units. ARGV: now */
export const clearCounters: Script = script(
  `
redis.call('DEL', KEYS[1], KEYS[2])
return {}`,
  { whenFull: true },
)
