import type { CancelAnswer, RunSnapshotBody, StartRunBody } from '@millrace/wire'
import { isCancelAnswer, isRunSnapshot } from '../http/answers.ts'
import { type ClientOptions, type ClientSettings, readClientOptions } from '../http/client-options.ts'
import { ask } from '../http/send.ts'
import { emptyView, type RunView } from '../view/view.ts'
import { readRun, type RunStream, type RunStreamStart, wholeFromStart } from './run-stream.ts'

export interface ClientCallOptions {
  /** Ends the request. A stream stops following, but its run continues; `cancel` and `snapshot` reject with `aborted`. */
  readonly signal?: AbortSignal
}

export interface FollowOptions extends ClientCallOptions {
  /** The view of the run so far; the stream continues from there. Default: from the first event. */
  readonly view?: RunView
  /** The last `seq` that was seen, without a `view`. Texts that start before it cannot be verified. */
  readonly after?: number
}

/** Talks to a Millrace server. */
export interface Client {
  /** Starts a run. Its id is known at once, so you can cancel or find the run after any failure. */
  start(body: StartRunBody, options?: ClientCallOptions): RunStream
  /** Follows a run that was started earlier, here or elsewhere. */
  follow(runId: string, options?: FollowOptions): RunStream
  /**
   * Stops a run on any instance.
   *
   * @throws MillraceError `request_timeout` if the server does not answer within `requestTimeoutMs`
   */
  cancel(runId: string, reason?: string, options?: ClientCallOptions): Promise<CancelAnswer>
  /**
   * Returns the state of a run.
   *
   * @throws MillraceError `not_found` if this user has no such run, `request_timeout` as `cancel` does
   */
  snapshot(runId: string, options?: ClientCallOptions): Promise<RunSnapshotBody>
}

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function createClient(options: ClientOptions): Client {
  return clientOf(readClientOptions(options))
}

export function clientOf(settings: ClientSettings): Client {
  const { runtime } = settings
  // One controller per call, because eleven listeners on one signal make Node print a warning.
  const never = (): AbortSignal => new AbortController().signal

  async function cancel(
    runId: string,
    reason = 'user',
    { signal = never() }: ClientCallOptions = {},
  ): Promise<CancelAnswer> {
    return ask(settings, { method: 'POST', path: runPath(runId, '/cancel'), body: { reason } }, signal, isCancelAnswer)
  }

  function stream(start: RunStreamStart): RunStream {
    const { state, batches } = readRun(settings, start)
    return {
      runId: start.runId,
      get view() {
        return state.view
      },
      batches,
      cancel: (reason, options) => cancel(start.runId, reason, options),
      async *[Symbol.asyncIterator]() {
        for await (const batch of batches()) yield* batch
      },
    }
  }

  return {
    start(body, { signal = never() } = {}) {
      return stream({ runId: body.runId ?? runtime.newId(), body, signal, ...wholeFromStart })
    },
    follow(runId, { signal = never(), view, after = 0 } = {}) {
      const isWhole = view !== undefined || after === 0
      return stream({ runId, body: undefined, view: view ?? { ...emptyView, seq: after }, isWhole, signal })
    },
    cancel,
    snapshot: (runId, { signal = never() } = {}) =>
      ask(settings, { method: 'GET', path: runPath(runId, '') }, signal, isRunSnapshot),
  }
}

function runPath(runId: string, below: string): string {
  return `/runs/${encodeURIComponent(runId)}${below}`
}
