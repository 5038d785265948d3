import type { AgentRun } from '@millrace/core'
import { sendRun, type SendRunOptions } from '@millrace/node'
import type { ServerResponse } from 'node:http'

export type StreamRunOptions = SendRunOptions

/**
 * Streams a run of your own from a route of your own, in the format that the client accepts. Resolves when all is sent or
 * the client has left, which by default leaves the run alone. Return the promise from your route: Express 5 then handles
 * its rejection; in Express 4 add `.catch(next)`.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function streamRun(res: ServerResponse, run: AgentRun, options: StreamRunOptions = {}): Promise<void> {
  return sendRun(run, res, options)
}
