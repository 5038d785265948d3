import { type AgentRun, MillraceError } from '@millrace/core'
import { runResponse, type RunResponseOptions } from '@millrace/server'
import type { Context } from 'hono'

export type StreamRunOptions = Omit<RunResponseOptions, 'request'>

/**
 * Streams a run of one's own from a route of one's own, in the format that the client accepts. A client that leaves by
 * default leaves the run alone.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function streamRun(c: Context, run: AgentRun, options: StreamRunOptions = {}): Promise<Response> {
  if (!isContext(c)) throw new MillraceError('invalid_option', 'c must be the context of the route', { path: 'c' })
  return runResponse(run, { ...options, request: c.req.raw })
}

function isContext(c: unknown): boolean {
  return typeof c === 'object' && c !== null && 'req' in c
}
