import { MillraceError } from '@millrace/core'
import { type CancelAnswer, mediaTypes, type RunSnapshotBody, type StartRunBody } from '@millrace/wire'
import { type ClientOptions, type ClientSettings, readClientOptions } from './client-options.ts'
import { send } from './connection.ts'
import { isCancelAnswer, isRunSnapshot } from './answers.ts'
import { readRun, type RunStream, type RunStreamStart, wholeFromStart } from './run-stream.ts'
import { emptyView, type RunView } from './view.ts'

export interface StreamOptions {
  /** Stops following, not the run: the iteration then ends. */
  readonly signal?: AbortSignal
}

export interface FollowOptions extends StreamOptions {
  /** What is known of the run already; it goes on from there. Default: from the first event. */
  readonly view?: RunView
  /** The last `seq` that was seen, where there is no `view`. Texts that begin before it cannot be verified. */
  readonly after?: number
}

/** Talks to a Millrace server. */
export interface Client {
  /** Starts a run. Its id is there at once, so that it can be cancelled or found again whatever comes. */
  start(body: StartRunBody, options?: StreamOptions): RunStream
  /** Follows a run that was started before, here or elsewhere. */
  follow(runId: string, options?: FollowOptions): RunStream
  /** Stops a run, from wherever it runs. @throws MillraceError */
  cancel(runId: string, reason?: string, options?: StreamOptions): Promise<CancelAnswer>
  /** A run as it stands. @throws MillraceError, `not_found` where there is no such run of this user */
  snapshot(runId: string, options?: StreamOptions): Promise<RunSnapshotBody>
}

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function createClient(options: ClientOptions): Client {
  return clientOf(readClientOptions(options))
}

export function clientOf(settings: ClientSettings): Client {
  const { runtime } = settings
  const never = new AbortController().signal

  async function cancel(runId: string, reason = 'user', { signal = never }: StreamOptions = {}): Promise<CancelAnswer> {
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
      cancel: (reason) => cancel(start.runId, reason),
      async *[Symbol.asyncIterator]() {
        for await (const batch of batches()) yield* batch
      },
    }
  }

  return {
    start(body, { signal = never } = {}) {
      return stream({ runId: body.runId ?? runtime.newId(), body, signal, ...wholeFromStart })
    },
    follow(runId, { signal = never, view, after = 0 } = {}) {
      const isWhole = view !== undefined || after === 0
      return stream({ runId, body: undefined, view: view ?? { ...emptyView, seq: after }, isWhole, signal })
    },
    cancel,
    snapshot: (runId, { signal = never } = {}) =>
      ask(settings, { method: 'GET', path: runPath(runId, '') }, signal, isRunSnapshot),
  }
}

function runPath(runId: string, below: string): string {
  return `/runs/${encodeURIComponent(runId)}${below}`
}

async function ask<Answer>(
  settings: ClientSettings,
  request: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: object },
  signal: AbortSignal,
  isAnswer: (body: unknown) => body is Answer,
): Promise<Answer> {
  const response = await send(settings, { ...request, accept: mediaTypes.json }, signal)
  const body: unknown = await response.json().catch(() => undefined)
  if (isAnswer(body)) return body
  throw new MillraceError('protocol_error', `the answer to ${request.method} ${request.path} cannot be read`)
}
