import { type AgentRun, MillraceError } from '@millrace/core'
import { checkRun, runResponse, type RunResponseOptions } from '@millrace/server'
import type { ServerResponse } from 'node:http'
import { sendResponse } from './send-response.ts'

export type SendRunOptions = Omit<RunResponseOptions, 'request'>

/**
 * Sends a run of one's own, in the format that the client accepts. Resolves when all is sent or the client has left.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function sendRun(run: AgentRun, res: ServerResponse, options: SendRunOptions = {}): Promise<void> {
  checkRun(run)
  if (!isResponse(res)) {
    throw new MillraceError('invalid_option', "res must be the response of the request, Node's or Express'", {
      path: 'res',
    })
  }
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

function isResponse(res: unknown): boolean {
  return typeof res === 'object' && res !== null && 'req' in res && 'writableEnded' in res
}
