import type { AgentRun } from '@millrace/core'
import { isObject, refuse } from '@millrace/core/kit'
import { runResponse, type RunResponseOptions } from '@millrace/server'
import type { Context } from 'hono'

export type StreamRunOptions = Omit<RunResponseOptions, 'request'>

/**
 * Streams your own run from your own route, in the format that the client accepts. By default, the run continues if the client
 * leaves.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function streamRun(c: Context, run: AgentRun, options: StreamRunOptions = {}): Promise<Response> {
  if (!isContext(c)) refuse('c', 'must be the context of the route')
  return runResponse(run, { ...options, request: c.req.raw })
}

function isContext(c: unknown): boolean {
  return isObject(c) && 'req' in c
}
