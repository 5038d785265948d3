import type { AgentRun } from '@millrace/core'
import { isObject, refuse } from '@millrace/core/kit'
import { checkRun, runResponse, type RunResponseOptions } from '@millrace/server'
import type { ServerResponse } from 'node:http'
import { sendResponse } from './send-response.ts'

export type SendRunOptions = Omit<RunResponseOptions, 'request'>

/**
 * Sends your own run in the format that the client accepts. Resolves when everything is sent or the client has left.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function sendRun(run: AgentRun, res: ServerResponse, options: SendRunOptions = {}): Promise<void> {
  checkRun(run)
  if (!isResponse(res)) refuse('res', "must be the response of the request, Node's or Express'")
  const { accept } = res.req.headers
  const controller = new AbortController()
  res.once('close', () => {
    if (!res.writableFinished) controller.abort()
  })
  const request = new Request('http://localhost', {
    headers: accept === undefined ? {} : { accept },
    signal: controller.signal,
  })
  await sendResponse(await runResponse(run, { ...options, request }), res)
}

function isResponse(res: unknown): boolean {
  return isObject(res) && 'req' in res && 'writableEnded' in res
}
