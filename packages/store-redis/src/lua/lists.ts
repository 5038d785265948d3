import { type Script, script } from '../script.ts'

// KEYS[1] is a list: a sorted set of ids by time. It expires if nothing was added for long.

/** ARGV: now, id, time, how long the list is kept */
export const addToList: Script = script(`
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {}`)

/** Ids and times in turn, the latest first. ARGV: now, the latest time or "+inf", how many to skip, how many at most */
export const pageOfList: Script = script(
  `return redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[2], '-inf', 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[4])`,
  { whenFull: true },
)

/** The ids that were added first. ARGV: now, how many at most */
export const oldestOfList: Script = script(`return redis.call('ZRANGE', KEYS[1], '0', ARGV[2] - 1)`, { whenFull: true })

/** ARGV: now, ids */
export const dropFromList: Script = script(
  `
for index = 2, #ARGV do redis.call('ZREM', KEYS[1], ARGV[index]) end
return {}`,
  { whenFull: true },
)
