import type { AgentRun } from '@millrace/core'
import { runResponse, type RunResponseOptions } from '@millrace/server'
import type { Context } from 'hono'

export type StreamRunOptions = Omit<RunResponseOptions, 'request'>

/**
 * Streams a run of one's own from a route of one's own, in the format that the client accepts. A client that leaves by
 * default leaves the run alone.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function streamRun(c: Context, run: AgentRun, options: StreamRunOptions = {}): Promise<Response> {
  return runResponse(run, { ...options, request: c.req.raw })
}
