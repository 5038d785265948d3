import type { Clock } from '@millrace/core'
import { admitCaller, AnsweredError } from './caller.ts'
import { checkDelay } from './check.ts'
import { cancelRun, describeRun } from './control-run.ts'
import { followRun } from './follow-run.ts'
import { createJournalCheck } from './journal-check.ts'
import { createLiveRuns, type DrainReport } from './live-runs.ts'
import { type Action, type HandlerOptions, type HandlerSettings, readHandlerOptions } from './options.ts'
import { createOpenResponses } from './open-responses.ts'
import { createPlaces } from './places.ts'
import { problemResponse, toProblem } from './problem.ts'
import { type RecoverReport, recoverRuns } from './recover-runs.ts'
import { resumeChat } from './resume-chat.ts'
import { findRoute, type Route } from './routes.ts'
import type { Exchange, Services } from './services.ts'
import { startRun } from './start-run.ts'

/** Milliseconds that the last events of a run may take to be read by its client, once it is over, during a shutdown. */
const flushTime = 1_000

/** Runs over HTTP, for any framework that knows Request and Response. */
export interface Handler {
  /** Answers a request; never rejects. What else it is called with is ignored, so it can be given to `Bun.serve` as it is. */
  readonly fetch: (request: Request) => Promise<Response>
  /** The same for adapters, which know the path that the handler is mounted under. Never rejects. */
  readonly handle: (request: Request, mount: { readonly basePath: string }) => Promise<Response>
  /**
   * Shuts down: refuses new runs with 503 at once, waits up to `graceMs` milliseconds for those under way, interrupts
   * what is left, and ends the responses that follow runs of other instances, whose clients come back elsewhere.
   *
   * @throws MillraceError `invalid_option`
   */
  readonly drain: (graceMs: number) => Promise<DrainReport>
  /**
   * Takes over the runs of the store whose process died, drives them to their end here, and writes them back to their
   * sessions. Resolves once they are taken over. Nothing calls it by itself: call it when the service starts, and every
   * few seconds, since a run can be taken over only when its lease has expired (30 s after the last renewal). A store
   * that fails is told to `onError`. Calling it again while it works gives the same report.
   *
   * @throws MillraceError `invalid_option` where the agent has no `resume` or no journal
   */
  readonly recover: () => Promise<RecoverReport>
  /** Runs that this handler has under way. */
  readonly openRuns: number
}

/**
 * Creates the handler: `POST /runs`, `GET /runs/:id/events`, `POST /runs/:id/cancel`, `GET /runs/:id`, and for the
 * clients of others `POST /ui-message-stream`, `GET /ui-message-stream/:id/stream`, `POST /ag-ui`.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`, with the option's path
 */
export function createHandler(options: HandlerOptions): Handler {
  const settings = readHandlerOptions(options)
  const closing = new AbortController()
  let isDraining = false
  const services = createServices(settings, closing.signal, () => isDraining)
  const { live } = services
  let recovering: Promise<RecoverReport> | undefined

  async function recover(): Promise<RecoverReport> {
    try {
      return await recoverRuns(services)
    } finally {
      recovering = undefined
    }
  }

  const handle = async (request: Request, { basePath }: { readonly basePath: string }): Promise<Response> => {
    try {
      const response = await dispatch(services, request, basePath)
      if (request.method !== 'HEAD') return response
      await response.body?.cancel()
      return new Response(null, response)
    } catch (error) {
      if (error instanceof AnsweredError) return error.response
      const problem = toProblem(error)
      const isOurs = problem.code === 'internal' || problem.code === 'store_unavailable'
      if (isOurs && problem.cause !== undefined) settings.onError(problem.cause, {})
      return problemResponse(problem)
    }
  }

  return {
    handle,
    fetch: (request) => handle(request, settings),
    async drain(graceMs) {
      checkDelay(graceMs, 'graceMs')
      isDraining = true
      // A run that is just being taken over is one of those that are waited for.
      await recovering?.catch(() => undefined)
      const report = await live.drain(graceMs)
      closing.abort()
      await atMost(services.responses.ended(), flushTime, settings.runtime.clock)
      return report
    },
    recover: () => (recovering ??= recover()),
    get openRuns() {
      return live.size
    },
  }
}

async function atMost(done: Promise<void>, ms: number, clock: Clock): Promise<void> {
  let cancelTimer = (): void => undefined
  const late = new Promise<void>((resolve) => (cancelTimer = clock.setTimer(resolve, ms)))
  await Promise.race([done, late])
  cancelTimer()
}

function createServices(settings: HandlerSettings, closing: AbortSignal, isDraining: () => boolean): Services {
  const { runtime, limits } = settings
  const { runs, runsPerUser, followers, followersPerUser, uploads } = limits
  return {
    settings,
    runtime,
    live: createLiveRuns(runtime.clock),
    runPlaces: createPlaces({ total: runs, perUser: runsPerUser, what: 'runs under way', retryAfter: 5 }),
    followerPlaces: createPlaces({ total: followers, perUser: followersPerUser, what: 'open streams', retryAfter: 5 }),
    uploadPlaces: createPlaces({ total: uploads, perUser: uploads, what: 'requests at once', retryAfter: 1 }),
    checkJournal: createJournalCheck(settings.runs, (error) => settings.onError(error, {})),
    responses: createOpenResponses(),
    closing,
    isDraining,
  }
}

async function dispatch(services: Services, request: Request, basePath: string): Promise<Response> {
  const url = new URL(request.url)
  const route = findRoute(request.method, url.pathname, basePath)
  const caller = await admitCaller(services.settings, request, wishOf(route))
  const exchange: Exchange = { ...services, request, url, caller }
  switch (route.name) {
    case 'start':
      return startRun(exchange, route)
    case 'follow':
      return followRun(exchange, route.runId)
    case 'snapshot':
      return describeRun(exchange, route.runId)
    case 'cancel':
      return cancelRun(exchange, route.runId)
    case 'resume-chat':
      return resumeChat(exchange, route.chatId)
  }
}

function wishOf(route: Route): { readonly action: Action; readonly runId?: string } {
  switch (route.name) {
    case 'start':
      return { action: 'start' }
    case 'resume-chat':
      return { action: 'follow' }
    default:
      return { action: route.name, runId: route.runId }
  }
}
