import type { Message, MillraceError, RequestBody, TurnMode, Usage } from '@millrace/core'
import { isRecord, wait } from '@millrace/core/kit'
import {
  type AccumulatedBlock,
  type Addition,
  addUsage,
  asMillraceError,
  assistantMessage,
  countFailure,
  type NextStep,
  nextStep,
  noFailures,
  noUsage,
  type Request as RequestKind,
  reasonOf,
  reserve,
  settlePermit,
  textOf,
  userMessage,
  withoutRefused,
} from '@millrace/core/recovery'
import type { FetchSettings } from '../request/options.ts'
import { historyOf } from '../request/messages-request.ts'
import type { Upstream } from '../request/upstream.ts'
import type { ClientMessage } from '../stream/client-message.ts'
import type { Outlet } from '../stream/outlet.ts'
import type { Attempt } from './attempt.ts'
import { createFirstAttempt } from './first-attempt.ts'
import { createLaterAttempt } from './later-attempt.ts'
import { openAnswer } from './open-answer.ts'
import { readAttempt } from './read-attempt.ts'
import type { TurnEnd, TurnObserver } from './turn-observer.ts'

export interface TurnOptions {
  readonly settings: FetchSettings
  readonly body: RequestBody
  readonly upstream: Upstream
  /** Makes the message that the client gets; again, if a new answer may take the place of a broken one. */
  readonly createClient: () => ClientMessage
  /** Whether the client has nothing before the answer is whole. */
  readonly retracts: boolean
  readonly outlet: Pick<Outlet, 'flush' | 'ready'>
  readonly observer: TurnObserver
  readonly signal: AbortSignal
}

/** Asks for an answer, and again by the recovery ladder until it is there or nothing is left to try. Never rejects. */
export async function takeTurn(options: TurnOptions): Promise<TurnEnd> {
  try {
    return await climbLadder(options)
  } catch (cause) {
    // A budget or breaker of the operator, or a defect of ours.
    return { status: 'failed', error: asMillraceError(cause) }
  }
}

const modeOf = (request: RequestKind): TurnMode => (request === 'stream' ? 'stream' : 'buffered')

async function climbLadder(options: TurnOptions): Promise<TurnEnd> {
  const { settings, createClient, retracts, outlet, observer, signal } = options
  const { recovery, runtime } = settings
  let { body } = options
  let client = createClient()
  let request: RequestKind = 'stream'
  let failures = noFailures
  let extraRequests = 0
  /** The text of the pieces that the answer goes on from, and what they used. */
  let said = ''
  let used: Usage = noUsage
  recovery.budget.request()

  for (let number = 1; ; number++) {
    const permit = request === 'stream' ? recovery.breaker.permit() : undefined
    if (request === 'stream' && permit === undefined) {
      request = 'buffered'
      observer.fallback('stream', 'buffered', 'circuit_open', client.blocks.length > 0)
    }
    const mode = modeOf(request)
    observer.attempt(number, mode)
    const before = used
    const totalUsage = (usage: Usage): Usage => addUsage(before, usage)
    const attempt = createAttempt(options, { client, request, body, said, totalUsage })
    const end = await readAttempt({
      attempt,
      open: openAnswer(options, request, body),
      outlet,
      clock: runtime.clock,
      signal,
    })
    settlePermit(permit, end)
    const usage = totalUsage(attempt.message?.usage ?? noUsage)
    if (end.status === 'whole') return { status: 'whole', stopReason: attempt.message?.stop_reason ?? null, usage }
    if (end.status === 'interrupted' || signal.aborted) return { status: 'interrupted' }

    failures = countFailure(failures, request, end.error)
    const step = decide(options, { client, request, attempt, error: end.error, failures, extraRequests })
    const reason = reasonOf(end.error)
    if (step.type === 'fail') return { status: 'failed', error: step.error }
    const delay = step.type === 'salvage' ? 0 : reserve(recovery.budget, step.delay, step.isRescue)
    if (delay === undefined) return { status: 'failed', error: end.error }
    const rung = step.type === 'retry' ? modeOf(step.request) : step.type
    observer.fallback(mode, rung, reason, client.blocks.length > 0)
    settings.onWarning(end.error)

    if (step.type === 'salvage') {
      attempt.keep(step.blocks)
      client.end({ stop_reason: 'tool_use', stop_sequence: null }, usage)
      outlet.flush()
      return { status: 'salvaged', stopReason: 'tool_use', usage }
    }
    extraRequests += 1
    request = step.request
    if (step.type === 'continue') {
      const kept = retracts ? step.blocks : step.blocks.filter(({ index }) => attempt.hasSent(index))
      said += kept.map(({ block }) => textOf(block)).join('')
      used = usage
      body = { ...body, messages: [...body.messages, ...continuation(kept, recovery.continuePrompt)] }
      if (kept.at(-1)?.finished !== false) client.closeBlock()
      client.mark()
    } else if (retracts && said === '') client = createClient()
    if (client.open !== undefined && client.open.kind !== 'text') client.closeBlock()
    outlet.flush()
    await wait(runtime.clock, delay, signal)
    if (signal.aborted) return { status: 'interrupted' }
  }
}

interface AttemptPlan {
  readonly client: ClientMessage
  readonly request: RequestKind
  readonly body: RequestBody
  readonly said: string
  readonly totalUsage: (usage: Usage) => Usage
}

function createAttempt({ settings, observer }: TurnOptions, plan: AttemptPlan): Attempt {
  const { client, request, body, said, totalUsage } = plan
  const common = {
    client,
    said,
    history: historyOf(body),
    passesInput: settings.passesInput,
    // A thread on the server goes on from the id that the start event names: that of the answer which is whole.
    holdsStart: body['thread'] !== undefined,
    maxHeld: settings.limits.heldBytes,
    repairsIds: settings.repair,
    acceptsInvalidInput: ({ block: { name } }: AccumulatedBlock) => request === 'collected' || isEager(body, name),
    onAddition: (addition: Addition) => observer.added(addition),
  }
  const isFirst = request === 'stream' && !client.started && said === ''
  return isFirst ? createFirstAttempt(common) : createLaterAttempt({ ...common, totalUsage })
}

/** Whether the tool streams its input unbuffered: the model's JSON may then be cut, and the tool's owner knows. */
function isEager({ tools }: RequestBody, name: unknown): boolean {
  return (
    Array.isArray(tools) &&
    tools.some((tool: unknown) => isRecord(tool) && tool['name'] === name && tool['eager_input_streaming'] === true)
  )
}

interface Broken {
  readonly client: ClientMessage
  readonly request: RequestKind
  readonly attempt: Attempt
  readonly error: MillraceError
  readonly failures: typeof noFailures
  readonly extraRequests: number
}

/** Decides by core's ladder, within what the client can still be given. */
function decide({ settings, body, retracts }: TurnOptions, broken: Broken): NextStep {
  const { client, request, attempt, error, failures, extraRequests } = broken
  const { recovery, runtime } = settings
  const hasContent = !retracts && client.blocks.length > 0
  // The server keeps the conversation of a thread: whether it has this answer, whole or not, is known to it alone.
  if (body['thread'] !== undefined && hasContent) return { type: 'fail', error }
  const isBound = !retracts && client.isBound
  const step = nextStep(
    {
      error,
      request,
      blocks: body['thread'] === undefined ? attempt.blocks : [],
      failures,
      boundByText: isBound,
      mayContinue: true,
      keepPartialText: !retracts,
      extraRequests: recovery.extraRequests - extraRequests,
      hasRoom: recovery.budget.left >= 1,
    },
    recovery,
    runtime.random,
  )
  // A client that has a call runs it: no other answer may take its place.
  const hasCall = !retracts && client.blocks.some(({ kind }) => kind === 'tool_use')
  const hasOpenCall = client.open?.kind === 'tool_use'
  return hasCall && (step.type !== 'salvage' || hasOpenCall) ? { type: 'fail', error } : step
}

/** What the model is asked with besides, to go on. */
function continuation(blocks: readonly AccumulatedBlock[], prompt: string): Message[] {
  const kept = withoutRefused(blocks).map(({ block }) => block)
  return [...(kept.length === 0 ? [] : [assistantMessage(kept)]), userMessage([{ type: 'text', text: prompt }])]
}
