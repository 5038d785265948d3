import type { AgentRun } from '@millrace/core'
import { sendRun, type SendRunOptions } from '@millrace/node'
import type { ServerResponse } from 'node:http'

export type StreamRunOptions = SendRunOptions

/**
 * Streams your own run from your own route, in the format that the client accepts. Resolves when everything is sent or the
 * client has left. By default, the run continues if the client leaves. Return the promise from your route, so that Express 5
 * handles its rejection. In Express 4, add `.catch(next)`.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function streamRun(res: ServerResponse, run: AgentRun, options: StreamRunOptions = {}): Promise<void> {
  return sendRun(run, res, options)
}
