import {
  createAgent,
  isMillraceError,
  type Middleware,
  type RequestParams,
  type RunResult,
  type TurnEnd,
  type TurnScope,
} from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { JsonObject } from '../kit/json.ts'
import type { Fetch } from '../record/recording-fetch.ts'
import { parameterChanges } from './parameter-changes.ts'
import type { RecordedRun } from './recorded-run.ts'
import { recordedTools, type SeenCall } from './recorded-tools.ts'
import { asMessages, replayClient } from './replay-client.ts'
import type { ReplayModel } from './replay-model.ts'
import type { Variant } from './variant.ts'

/** One turn as Millrace saw it: its whole message, or why there is none. */
export type SeenTurn =
  | { readonly status: 'whole'; readonly message: JsonObject }
  | { readonly status: 'broken'; readonly code: string }

/** What Millrace made of a replayed run. */
export type Replayed =
  | {
      readonly status: 'ran'
      readonly turns: readonly SeenTurn[]
      readonly calls: readonly SeenCall[]
      readonly requests: readonly JsonObject[]
      readonly result: Pick<RunResult, 'outcome' | 'stopReason'> & {
        readonly messages: readonly JsonObject[]
        readonly usage: JsonObject
        /** The code of the error that it failed with. */
        readonly error: string | undefined
      }
    }
  /** An agent or a run refused what the recording holds. */
  | { readonly status: 'refused'; readonly message: string }

export interface ReplayOptions {
  readonly run: RecordedRun
  readonly variant: Variant
  readonly model: ReplayModel
  readonly fetch: Fetch
  readonly baseURL?: string
  readonly signal?: AbortSignal
}

/** Drives Millrace's loop through a recorded run. Rejects only with the signal's reason. */
export async function replayRun(options: ReplayOptions): Promise<Replayed> {
  const { run, variant, model, fetch, baseURL, signal } = options
  signal?.throwIfAborted()
  const { tools, middleware, calls } = recordedTools(run)
  const turns: SeenTurn[] = []
  const client = replayClient(fetch, baseURL)
  try {
    const agent = createAgent({
      client: run.first.isBeta ? client.beta : client,
      request: asParameters(run.first.parameters),
      tools,
      use: [observeTurns(turns), sendRecordedParameters(run), middleware],
      limits: {
        // One more than was recorded, so that a request too many is seen.
        turns: run.turns.length + (run.end.kind === 'unfinished' ? 0 : 1),
        pauses: run.turns.length + 1,
        parallelTools: 1,
      },
      // A stream that breaks is a difference, which must not be hidden by asking again.
      recovery: { streamRetries: 0, bufferedRetries: 0, extraRequests: 0, backoff: 0, retraction: 'retract' },
    })
    const result = await agent.run({
      messages: asMessages(run.first.messages),
      mode: variant.mode,
      ...(signal !== undefined && { signal }),
    }).result
    signal?.throwIfAborted()
    return { status: 'ran', turns, calls, requests: model.requests, result: readResult(result) }
  } catch (error) {
    if (isMillraceError(error)) return { status: 'refused', message: error.message }
    throw error
  }
}

function observeTurns(turns: SeenTurn[]): Middleware {
  return {
    name: 'observe-turns',
    async turn(scope, next) {
      const end = await next(scope)
      turns.push(readTurn(end))
      return end
    },
  }
}

function readTurn(end: TurnEnd): SeenTurn {
  switch (end.status) {
    case 'whole':
      return { status: 'whole', message: { ...end.message } }
    case 'broken':
      return { status: 'broken', code: isMillraceError(end.error) ? end.error.code : end.error.name }
    case 'interrupted':
      return { status: 'broken', code: 'interrupted' }
  }
}

/** Sends the recorded tool definitions, and the parameters that a loop changed between its turns. */
function sendRecordedParameters(run: RecordedRun): Middleware {
  return {
    name: 'recorded-parameters',
    async turn(scope, next) {
      return next({ ...scope, request: withRecorded(scope, run) })
    },
  }
}

function withRecorded({ request, turn }: TurnScope, run: RecordedRun): TurnScope['request'] {
  const first = run.first.parameters
  const own = run.turns[turn - 1]?.parameters ?? first
  const { tools: _, ...rest } = request
  const changed: Record<string, unknown> = { ...rest, ...('tools' in own && { tools: own['tools'] }) }
  for (const name of parameterChanges(first, own)) {
    if (name in own) changed[name] = own[name]
    else delete changed[name]
  }
  return { ...changed, messages: request.messages }
}

function readResult({
  outcome,
  stopReason,
  messages,
  usage,
  error,
}: RunResult): Extract<Replayed, { status: 'ran' }>['result'] {
  return { outcome, stopReason, messages: messages.map((message) => ({ ...message })), usage, error: error?.code }
}

/** What was recorded was sent to the API by somebody: the loop checks what it needs of it. */
function asParameters(parameters: JsonObject): RequestParams {
  const { tools: _, ...rest } = parameters
  if (!isParameters(rest)) throw new TypeError('unreachable')
  return rest
}

function isParameters(value: unknown): value is RequestParams {
  return isRecord(value)
}
