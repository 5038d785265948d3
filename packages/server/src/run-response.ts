import { type AgentRun, type Clock, systemClock } from '@millrace/core'
import {
  aBoolean,
  aDelay,
  aFunction,
  anything,
  checkOptions,
  oneOf,
  type Rule,
  withDefaults,
  withMethods,
} from '@millrace/core/kit'
import type { RunFormat } from '@millrace/wire'
import { negotiateFormat } from './http/negotiate.ts'
import { ProblemError, problemResponse } from './http/problem.ts'
import { checkRun } from './operator/argument-checks.ts'
import { createHooks, logError, type OnError } from './operator/hooks.ts'
import { respond } from './response/respond.ts'
import { resultBody } from './run/run-result.ts'

export interface RunResponseOptions {
  /** Default: what `request` accepts, and without a request `sse`. */
  readonly format?: RunFormat
  /** The request that is answered: for its `Accept`, and to notice a client that leaves. */
  readonly request?: Request
  /** Send signatures and other raw content as well. Default: false. */
  readonly rawContent?: boolean
  /** What happens to the run when the client leaves. Default: `continue`. */
  readonly onDisconnect?: 'continue' | 'cancel'
  /** Quiet milliseconds before a heartbeat. Default: 15,000. */
  readonly heartbeat?: number
  /** Milliseconds that a client may leave the response unread before it is given up. Default: 60,000. */
  readonly stallTimeout?: number
  /** Told of a run that could not be read. Default: writes to stderr, by `console.error`. */
  readonly onError?: OnError
  /** Default: the system's. */
  readonly clock?: Clock
}

const rules: Readonly<Record<keyof RunResponseOptions, Rule>> = {
  format: anything,
  request: anything,
  rawContent: aBoolean,
  onDisconnect: oneOf('continue', 'cancel'),
  heartbeat: aDelay(),
  stallTimeout: aDelay(),
  onError: aFunction,
  clock: withMethods('now', 'setTimer'),
}

const defaults = { rawContent: false, heartbeat: 15_000, stallTimeout: 60_000, onError: logError, clock: systemClock }

/**
 * Answers with a run of your own, from a route of your own. Where the client accepts no format that there is, the run is
 * interrupted and the response a 406.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function runResponse(run: AgentRun, options: RunResponseOptions = {}): Promise<Response> {
  checkRun(run)
  checkOptions(options, '', rules)
  const { request, onDisconnect } = options
  const { rawContent, heartbeat, stallTimeout, onError, clock } = withDefaults(defaults, options)
  const hooks = createHooks({ onError, clock, hookTimeout: heartbeat })
  const { runId } = run
  let format: RunFormat
  try {
    format = negotiateFormat(options.format ?? null, request?.headers.get('accept') ?? null)
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    run.interrupt('The client accepts no format that there is')
    return problemResponse(error)
  }
  const leaves = (): void => {
    if (onDisconnect === 'cancel') run.interrupt('The client has left')
  }
  request?.signal.addEventListener('abort', leaves, { once: true })
  const source = {
    runId,
    batches: () => run.batches(),
    result: async () => resultBody(await run.result, rawContent),
  }
  return respond(source, {
    format,
    rawContent,
    heartbeat,
    stallTimeout,
    clock,
    onEnd({ left }) {
      request?.signal.removeEventListener('abort', leaves)
      if (left) leaves()
    },
    onError: (error) => hooks.report(error, { runId, source: 'run' }),
  })
}
