import { createHash } from 'node:crypto'

/** One atomic step, as a Lua script that Redis keeps by its hash. */
export interface Script {
  readonly source: string
  readonly sha: string
}

export interface ScriptOptions {
  /** Runs it beyond `maxmemory` too: it writes a few bytes without which a run could not go on or stop. */
  readonly whenFull?: boolean
}

/** `ARGV[1]` is the time in milliseconds; empty, it is the server's, so that clocks of instances need not agree. */
const clock = `
local function now()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function int(number) return string.format('%.0f', number) end
`

export function script(body: string, { whenFull = false }: ScriptOptions = {}): Script {
  const source = `#!lua${whenFull ? ' flags=allow-oom' : ''}\n${clock}${body}`
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}
