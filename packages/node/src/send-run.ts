import type { AgentRun } from '@millrace/core'
import { runResponse, type RunResponseOptions } from '@millrace/server'
import type { ServerResponse } from 'node:http'
import { sendResponse } from './send-response.ts'

export type SendRunOptions = Omit<RunResponseOptions, 'request'>

/**
 * Sends a run of one's own, in the format that the client accepts. Resolves when all is sent or the client has left.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function sendRun(run: AgentRun, res: ServerResponse, options: SendRunOptions = {}): Promise<void> {
  const { accept } = res.req.headers
  const controller = new AbortController()
  const onClose = (): void => {
    if (!res.writableFinished) controller.abort()
  }
  res.once('close', onClose)
  const request = new Request('http://localhost', {
    headers: accept === undefined ? {} : { accept },
    signal: controller.signal,
  })
  await sendResponse(await runResponse(run, { ...options, request }), res)
}
