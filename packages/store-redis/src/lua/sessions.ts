import { type Script, script } from '../script.ts'

// KEYS[1] is the conversation, a hash. A `token` names one call, as for runs.

/** ARGV: now */
export const loadSession: Script = script(
  `
local session = redis.call('HMGET', KEYS[1], 'version', 'messages', 'claimant', 'claimEnds', 'owner')
local active = session[3] and tonumber(session[4]) > now() and session[3] or ''
return {session[1] or '0', session[2] or '[]', active, session[5] or nil}`,
  { whenFull: true },
)

/** ARGV: now */
export const summarizeSession: Script = script(
  `
local session = redis.call('HMGET', KEYS[1], 'usedAt', 'version', 'claimant', 'claimEnds')
if not session[1] then return {} end
local active = session[3] and tonumber(session[4]) > now() and session[3] or nil
return {session[1], session[2] or '0', active}`,
  { whenFull: true },
)

/** ARGV: now, runId, ttlMs, sessionMs, owner or nothing */
export const claimSession: Script = script(`
local session = redis.call('HMGET', KEYS[1], 'version', 'messages', 'claimant', 'claimEnds', 'owner')
if session[3] and session[3] ~= ARGV[2] then
  local left = session[4] - now()
  if left > 0 then return {'busy', session[3], int(left)} end
end
local time = now()
redis.call('HSET', KEYS[1], 'claimant', ARGV[2], 'claimEnds', int(time + ARGV[3]), 'usedAt', int(time))
if ARGV[5] and not session[5] then redis.call('HSET', KEYS[1], 'owner', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], int(ARGV[3] + ARGV[4]))
return {'claimed', session[1] or '0', session[2] or '[]', int(time), session[5] or ARGV[5]}`)

/** Replies with the time and the owner, if there is one. ARGV: now, runId */
export const releaseSession: Script = script(
  `
local session = redis.call('HMGET', KEYS[1], 'version', 'claimant', 'owner')
if session[2] ~= ARGV[2] then return {} end
if not session[1] then
  redis.call('DEL', KEYS[1])
  return {}
end
local time = int(now())
redis.call('HDEL', KEYS[1], 'claimant', 'claimEnds')
redis.call('HSET', KEYS[1], 'usedAt', time)
return {time, session[3] or nil}`,
  { whenFull: true },
)

/** ARGV: now, token, runId, expected version, sessionMs, messages */
export const commitSession: Script = script(`
local session = redis.call('HMGET', KEYS[1], 'version', 'claimant', 'commit', 'usedAt', 'owner')
local version = session[1] or '0'
local committed = int(ARGV[4] + 1)
if session[3] == ARGV[2] and version == committed then
  return {'committed', version, session[4], session[5] or nil}
end
if version ~= ARGV[4] or session[2] ~= ARGV[3] then
  return {'conflict', version, session[2] and session[2] ~= ARGV[3] and session[2] or nil}
end
local time = int(now())
redis.call('HSET', KEYS[1], 'messages', ARGV[6], 'version', committed, 'commit', ARGV[2], 'usedAt', time)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'committed', committed, time, session[5] or nil}`)

/** Replies with the owner, if there was one. ARGV: now */
export const deleteSession: Script = script(
  `
local owner = redis.call('HGET', KEYS[1], 'owner')
redis.call('DEL', KEYS[1])
return {owner or nil}`,
  { whenFull: true },
)
