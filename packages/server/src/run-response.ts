import { type AgentRun, type Clock, systemClock } from '@millrace/core'
import { batchEvents, type RunFormat, runIdHeader } from '@millrace/wire'
import { checkDelay, checkKeys, checkRun, refuse } from './check.ts'
import { createEncoder } from './encoders.ts'
import { eventResponse } from './event-response.ts'
import { negotiateFormat } from './negotiate.ts'
import { problemResponse, toProblem } from './problem.ts'
import { resultBody } from './run-result.ts'
import { jsonResponse } from './stream-run.ts'

export interface RunResponseOptions {
  /** Default: what `request` accepts, and without a request `sse`. */
  readonly format?: RunFormat
  /** The request that is answered: for its `Accept`, and to notice a client that leaves while the result is waited for. */
  readonly request?: Request
  /** Send signatures and other raw content as well. Default: false. */
  readonly rawContent?: boolean
  /** What happens to the run when the client leaves. Default: `continue`. */
  readonly onDisconnect?: 'continue' | 'cancel'
  /** Quiet milliseconds before a heartbeat. Default: 15,000. */
  readonly heartbeat?: number
  /** Milliseconds that a client may leave the response unread before it is given up. Default: 60,000. */
  readonly stallTimeout?: number
  /** Default: the system's. */
  readonly clock?: Clock
}

const known = ['format', 'request', 'rawContent', 'onDisconnect', 'heartbeat', 'stallTimeout', 'clock']

/**
 * A run of one's own as a response, for a route of one's own. Where the client accepts no format that there is, the run
 * is interrupted and the response a 406.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function runResponse(run: AgentRun, options: RunResponseOptions = {}): Promise<Response> {
  checkRun(run)
  checkKeys(options, '', known)
  const { request, rawContent = false, onDisconnect = 'continue', clock = systemClock } = options
  const { heartbeat = 15_000, stallTimeout = 60_000 } = options
  checkDelay(heartbeat, 'heartbeat')
  checkDelay(stallTimeout, 'stallTimeout')
  if (onDisconnect !== 'continue' && onDisconnect !== 'cancel') refuse('onDisconnect', 'must be "continue" or "cancel"')
  let format: RunFormat
  try {
    format = negotiateFormat(options.format ?? null, request?.headers.get('accept') ?? null)
  } catch (error) {
    run.interrupt('The client accepts no format that there is')
    return problemResponse(toProblem(error))
  }
  const leaves = (): void => {
    if (onDisconnect === 'cancel') run.interrupt('The client has left')
  }
  if (format === 'json') {
    request?.signal.addEventListener('abort', leaves, { once: true })
    const result = await run.result
    request?.signal.removeEventListener('abort', leaves)
    return jsonResponse(resultBody(result, rawContent), { [runIdHeader]: run.runId })
  }
  return eventResponse(batchEvents(run), {
    runId: run.runId,
    encoder: createEncoder(format, { rawContent }),
    clock,
    heartbeat,
    stallTimeout,
    onEnd({ left }) {
      if (left) leaves()
    },
    onError: () => undefined,
  })
}
