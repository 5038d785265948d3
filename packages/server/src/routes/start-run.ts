import { type AgentRun, isMillraceError, type RunInput, type RunSnapshot } from '@millrace/core'
import { defined, isRecord, refuse } from '@millrace/core/kit'
import { internalProblem, parseBody, ProblemError, shutDownProblem } from '../http/problem.ts'
import type { Route } from '../http/routes.ts'
import { checkRun } from '../operator/argument-checks.ts'
import { untilSettled } from '../response/until-settled.ts'
import type { LiveRun } from '../run/live-runs.ts'
import { isMoved } from '../session/moved.ts'
import { resultBody } from '../run/run-result.ts'
import type { Exchange } from '../run/services.ts'
import { type Conversation, conversationOf } from '../session/conversation.ts'
import { claimSession, type RunSession } from '../session/run-session.ts'
import { sessionIdOf } from '../session/session-id.ts'
import { parseStart, type StartRequest } from '../session/start-request.ts'
import { findRun, follow } from './follow-run.ts'
import { readUpload } from './upload.ts'
import { readWanted, respondWith, type Wanted } from './wanted.ts'

type StartRoute = Extract<Route, { readonly name: 'start' }>

/** `POST /runs` and its siblings: starts a run, and streams it. */
export async function startRun(exchange: Exchange, { protocol }: StartRoute): Promise<Response> {
  const { caller, limits, runtime, checkJournal } = exchange
  refuseWhileDraining(exchange)
  const wanted = protocol === 'native' ? readWanted(exchange) : { ...readWanted(exchange), format: protocol }
  const end = limits.runs.begin(caller)
  let live: LiveRun | undefined
  try {
    const upload = await readUpload(exchange)
    const start = parseBody(() => parseStart(protocol, upload))
    const { runId = runtime.newId() } = start.body
    const before = start.body.runId === undefined ? undefined : await findEarlier(exchange, runId)
    if (before) return await follow(exchange, before, wanted, 0)
    const session = await openSession(exchange, start, runId)
    try {
      const launch = await prepare(exchange, start, runId, session)
      // From here to the registration nothing may wait: a drain, or a request with the same id, may have come meanwhile.
      refuseWhileDraining(exchange)
      if (exchange.live.get(runId)) throw justBegun()
      live = exchange.live.add(launch(), caller.owner, async (result) => {
        await session?.settle(result)
        end()
        checkJournal(result)
      })
    } finally {
      // A run that another request has started under the same id holds the session by it.
      if (!live) await session?.abandon({ release: exchange.live.get(runId) === undefined })
    }
    return answer(exchange, live, wanted, start)
  } finally {
    if (!live) end()
  }
}

/** @throws ProblemError `shutting_down` */
function refuseWhileDraining({ shutdown }: Exchange): void {
  if (shutdown.hasBegun) throw shutDownProblem()
}

/** The run that an earlier request has started under this id, so that asking twice never runs twice. */
async function findEarlier(exchange: Exchange, runId: string): Promise<RunSnapshot | undefined> {
  const isKnown = exchange.live.get(runId) !== undefined || (await exchange.runs.snapshot(runId)) !== undefined
  return isKnown ? findRun(exchange, runId) : undefined
}

function justBegun(): ProblemError {
  return new ProblemError('store_unavailable', 'A run with this id has just begun', { retryAfter: 1 })
}

type OpenSession = RunSession & { readonly sessionId: string }

async function openSession(
  exchange: Exchange,
  { body, wholeConversation }: StartRequest,
  runId: string,
): Promise<OpenSession | undefined> {
  const { sessions, runs, settings, runtime, hooks, request } = exchange
  const sessionId = await sessionIdOf(exchange, body.sessionId)
  if (sessions === undefined) return undefined
  if (sessionId === undefined) {
    // A foreign client always names its conversation, and always brings all of it.
    if (body.sessionId === undefined || wholeConversation) return undefined
    throw new ProblemError('invalid_body', '`sessionId` needs a user that the session belongs to', {
      path: 'sessionId',
    })
  }
  const session = await claimSession({
    sessions,
    runs,
    sessionId,
    runId,
    claimMs: settings.sessionClaim,
    owner: exchange.caller.owner,
    onBusy: settings.onBusy,
    clock: runtime.clock,
    hooks,
    signal: request.signal,
  })
  return { ...session, sessionId }
}

/** Makes the run's input. Returns what starts the run with it, at once. */
async function prepare(
  { settings, hooks, caller, request }: Exchange,
  start: StartRequest,
  runId: string,
  session: OpenSession | undefined,
): Promise<() => AgentRun> {
  const conversation = conversationOf(start, session?.messages, settings)
  const { mode, retraction, metadata } = start.body
  const { messages } = conversation
  const { owner, user } = caller
  const input = {
    messages,
    runId,
    ...defined({ mode: allowedMode(mode, settings), retraction, metadata, sessionId: session?.sessionId, owner, user }),
  }
  const { toInput } = settings
  const ask = (): unknown => toInput?.(input, { request, body: start.body })
  const chosen = toInput ? await hooks.ask('toInput', ask, readInput, { runId }) : input
  return () => {
    try {
      const run = settings.agent.run({ ...chosen, runId })
      checkRun(run)
      return run
    } catch (error) {
      const problem = clientsMistake(error, start, conversation, chosen)
      if (problem) throw problem
      hooks.report(error, { runId, source: toInput ? 'toInput' : 'agent' })
      throw internalProblem()
    }
  }
}

/** A client may always ask for less than a stream. More than the flags say it gets where the operator allows it. */
function allowedMode(mode: RunInput['mode'], { allowMode }: { readonly allowMode: boolean }): RunInput['mode'] {
  return mode === 'stream' && !allowMode ? 'auto' : mode
}

function readInput(input: unknown): RunInput {
  return isInput(input) ? input : refuse('toInput', 'must give an object with messages, as it was given')
}

function isInput(input: unknown): input is RunInput {
  return isRecord(input) && Array.isArray(input['messages'])
}

/** The problem for a message that the agent refuses, where it is one of the request's own, with its path in the request. */
function clientsMistake(
  error: unknown,
  { body, wholeConversation }: StartRequest,
  { messages, from }: Conversation,
  chosen: RunInput,
): ProblemError | undefined {
  if (!isMillraceError(error, 'invalid_messages') || error.path === undefined) return undefined
  const [at, number] = /^messages\[(\d+)\]/.exec(error.path) ?? []
  const index = Number(number ?? 0)
  // Messages of the session, and those that `toInput` has changed, are not the client's.
  if (index < from || chosen.messages[index] !== messages[index]) return undefined
  if (at === undefined || wholeConversation)
    return new ProblemError('invalid_body', error.message, { path: 'messages' })
  const own = body.input === undefined ? `messages[${index - from}]` : 'input'
  return new ProblemError('invalid_body', error.message.replace(at, own), { path: error.path.replace(at, own) })
}

function answer(
  exchange: Exchange,
  { run, settled }: LiveRun,
  { format, rawContent }: Wanted,
  { agUi, body: { retraction } }: StartRequest,
): Response {
  const { signal } = exchange.request
  const leaves = (): void => {
    if (exchange.settings.onDisconnect === 'cancel') run.interrupt('The client has left')
  }
  if (signal.aborted) leaves()
  signal.addEventListener('abort', leaves, { once: true })
  const source = {
    runId: run.runId,
    batches: () => untilSettled(run.batches(), { settled: () => settled, isLeaving: () => true }),
    async result() {
      const result = await settled
      if (isMoved(result)) throw shutDownProblem()
      return resultBody(result, rawContent)
    },
  }
  return respondWith(exchange, source, {
    kind: 'starter',
    format,
    rawContent,
    agUi,
    uiMessageStream: { resets: retraction !== 'continue' },
    onEnd({ left }) {
      signal.removeEventListener('abort', leaves)
      if (left) leaves()
    },
  })
}
