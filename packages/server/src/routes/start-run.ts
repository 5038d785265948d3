import { MillraceError, type Message, type RunInput, type RunSnapshot } from '@millrace/core'
import { batchEvents } from '@millrace/wire'
import { untilSettled } from './event-batches.ts'
import { findRun, follow } from './follow-run.ts'
import type { LiveRun } from './live-runs.ts'
import { ProblemError } from './problem.ts'
import { readBody } from './read-body.ts'
import type { Route } from './routes.ts'
import { resultBody } from './run-result.ts'
import { claimSession, type RunSession } from './run-session.ts'
import type { Exchange } from './services.ts'
import { askStore } from './store-call.ts'
import { conversationOf, parseStart, type StartRequest } from './start-request.ts'
import { readWanted, resultResponse, streamRun, type Wanted } from './stream-run.ts'

type StartRoute = Extract<Route, { readonly name: 'start' }>

/** `POST /runs` and its siblings: starts a run, and streams it. */
export async function startRun(exchange: Exchange, { protocol }: StartRoute): Promise<Response> {
  const { settings, caller, runPlaces, runtime } = exchange
  refuseWhileDraining(exchange.isDraining)
  const wanted = protocol === 'native' ? readWanted(exchange) : { ...readWanted(exchange), format: protocol }
  const leave = runPlaces.take(caller.owner)
  let live: LiveRun | undefined
  try {
    const start = parseStart(protocol, await readUpload(exchange))
    const { runId = runtime.newId() } = start.body
    const before = start.body.runId === undefined ? undefined : await findEarlier(exchange, runId)
    if (before) return await follow(exchange, before, wanted, 0)
    const session = await openSession(exchange, start, runId)
    try {
      const input = await toRunInput(exchange, start, runId, session)
      // From here to the registration nothing may wait: a drain, or a request with the same id, may have come meanwhile.
      refuseWhileDraining(exchange.isDraining)
      if (exchange.live.get(runId)) throw justBegun()
      const run = settings.agent.run(input)
      live = exchange.live.add(run, caller.owner, async (result) => {
        await session?.settle(result)
        leave()
        exchange.checkJournal(result)
      })
    } finally {
      // A run that another request has started under the same id holds the session by it.
      if (!live) await session?.abandon({ release: exchange.live.get(runId) === undefined })
    }
    return await answer(exchange, live, wanted, start)
  } finally {
    if (!live) leave()
  }
}

/** @throws ProblemError `shutting_down` */
function refuseWhileDraining(isDraining: () => boolean): void {
  if (isDraining()) throw new ProblemError('shutting_down', 'No more runs are started here', { retryAfter: 1 })
}

async function readUpload({ settings, uploadPlaces, request, runtime }: Exchange): Promise<unknown> {
  const leave = uploadPlaces.take(undefined)
  try {
    const { bodyLimit, bodyTimeout } = settings
    return await readBody(request, { bodyLimit, bodyTimeout, clock: runtime.clock })
  } finally {
    leave()
  }
}

/** The run that an earlier request has started under this id, so that asking twice never runs twice. */
async function findEarlier(exchange: Exchange, runId: string): Promise<RunSnapshot | undefined> {
  const { settings, live } = exchange
  const isKnown = live.get(runId) !== undefined || (await askStore(settings.runs.snapshot(runId))) !== undefined
  return isKnown ? findRun(exchange, runId) : undefined
}

function justBegun(): ProblemError {
  return new ProblemError('store_unavailable', 'A run with this id has just begun', { retryAfter: 1 })
}

async function openSession(
  { settings, runtime, request, caller }: Exchange,
  { body, wholeConversation }: StartRequest,
  runId: string,
): Promise<(RunSession & { readonly sessionId: string }) | undefined> {
  const { sessions, runs, sessionClaim, onError } = settings
  const given = await settings.sessionId?.(request)
  if (sessions === undefined) return undefined
  const sessionId = given ?? ownSession(body.sessionId, caller.owner)
  if (sessionId === undefined) {
    // A foreign client always names its conversation, and always brings all of it.
    if (body.sessionId === undefined || wholeConversation) return undefined
    throw new MillraceError('invalid_input', 'a session needs a user that it belongs to', { path: 'sessionId' })
  }
  const session = await claimSession({
    sessions,
    runs,
    sessionId,
    runId,
    claimMs: sessionClaim,
    clock: runtime.clock,
    onError: (error) => onError(error, { runId }),
  })
  return { ...session, sessionId }
}

/** An id that the client chose counts within what its user owns: nobody reaches another's conversation with it. */
export function ownSession(sessionId: string | undefined, owner: string | undefined): string | undefined {
  return sessionId === undefined || owner === undefined ? undefined : `${encodeURIComponent(owner)}/${sessionId}`
}

async function toRunInput(
  { settings, caller, request }: Exchange,
  start: StartRequest,
  runId: string,
  session: { readonly sessionId: string; readonly messages: readonly Message[] } | undefined,
): Promise<RunInput> {
  const { mode, retraction, metadata } = start.body
  const input: RunInput & { readonly messages: readonly Message[] } = {
    messages: conversationOf(start, session?.messages),
    runId,
    ...(mode !== undefined && { mode }),
    ...(retraction !== undefined && { retraction }),
    ...(metadata !== undefined && { metadata }),
    ...(session !== undefined && { sessionId: session.sessionId }),
    ...(caller.owner !== undefined && { owner: caller.owner }),
    ...(caller.user !== undefined && { user: caller.user }),
  }
  const { toInput } = settings
  const chosen = toInput ? await toInput(input, { request, body: start.body }) : input
  return { ...chosen, runId }
}

async function answer(
  exchange: Exchange,
  { run, settled }: LiveRun,
  { format, rawContent }: Wanted,
  { agUi }: StartRequest,
): Promise<Response> {
  const { settings, request } = exchange
  const leaves = (): void => {
    if (settings.onDisconnect === 'cancel') run.interrupt('The client has left')
  }
  if (format === 'json') {
    const { signal } = request
    if (signal.aborted) leaves()
    signal.addEventListener('abort', leaves, { once: true })
    const result = await settled
    signal.removeEventListener('abort', leaves)
    return resultResponse(resultBody(result, rawContent))
  }
  const ended = exchange.responses.add()
  const batches = untilSettled(batchEvents(run), () => settled)
  return streamRun(exchange, batches, {
    runId: run.runId,
    format,
    encoder: { rawContent, agUi },
    onEnd({ left }) {
      ended()
      if (left) leaves()
    },
  })
}
