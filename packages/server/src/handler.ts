import { aDelay } from '@millrace/core/kit'
import { internalProblem, ProblemError, problemResponse } from './http/problem.ts'
import { findRoute, type Route } from './http/routes.ts'
import { identifyCaller, refusalOf } from './operator/caller.ts'
import { createHooks } from './operator/hooks.ts'
import { type Action, type HandlerOptions, type HandlerSettings, readHandlerOptions } from './operator/options.ts'
import { guardRuns, guardSessions } from './operator/stores.ts'
import { createOpenResponses } from './response/open-responses.ts'
import { cancelRun, describeRun } from './routes/control-run.ts'
import { followRun } from './routes/follow-run.ts'
import { showHealth } from './routes/health.ts'
import { listRuns } from './routes/list-runs.ts'
import { resumeChat } from './routes/resume-chat.ts'
import { showSession } from './routes/show-session.ts'
import { startRun } from './routes/start-run.ts'
import { atMost } from './run/at-most.ts'
import { createConcurrencyLimit } from './run/concurrency-limit.ts'
import { createJournalCheck } from './run/journal-check.ts'
import { createLiveRuns, type DrainReport } from './run/live-runs.ts'
import { canRecover } from './run/recover-runs.ts'
import { createRecovery } from './run/recovery.ts'
import type { Exchange, RecoverReport, RunningServices, Services, Shutdown } from './run/services.ts'

/** Milliseconds that the last events of a run may take to be read by its client, once it is over, during a shutdown. */
const flushTime = 1_000

/** What an adapter knows of a request besides the request. */
export interface Mount {
  /** The path that the handler is mounted under. Default: the option `basePath`. */
  readonly basePath?: string
  /** The address at the other end of the connection, for the limits of requests without a user. */
  readonly address?: string | undefined
}

/** Runs over HTTP, for any framework that knows Request and Response. */
export interface Handler {
  /** Answers a request; never rejects. What else it is called with is ignored, so it can be given to `Bun.serve` as it is. */
  readonly fetch: (request: Request) => Promise<Response>
  /** The same for adapters, which know more of a request than it says. Never rejects. */
  readonly handle: (request: Request, mount: Mount) => Promise<Response>
  /**
   * Shuts down: refuses new runs with 503 at once, moves those under way to other instances, and ends all responses. With
   * a durable store, a run moves at the end of its turn, and after `graceMs` milliseconds at once. Otherwise it goes on for
   * `graceMs` and is then interrupted.
   *
   * It resolves within 7 s after the grace period, whatever hangs: a store, a session, a run, a client. Reports a run that
   * has not ended by then to `onError`.
   *
   * @throws MillraceError `invalid_option`
   */
  readonly drain: (graceMs: number) => Promise<DrainReport>
  /**
   * Takes over the runs of the store that nobody drives, drives them to their end here, and writes them back to their
   * sessions. Resolves once they are taken over. With a durable store the handler calls it by itself, unless
   * `recover.every` is 0. Reports a store that fails to `onError`. Calling it again while it works gives the same report.
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
  const shutdown = { hasBegun: false, isClosed: false }
  const base = createServices(settings, shutdown)
  const recovery = createRecovery(base)
  const services: RunningServices = { ...base, recovery }
  const { hooks, live, responses, runtime } = services
  const { clock } = runtime

  const handle = async (request: Request, mount: Mount = {}): Promise<Response> => {
    try {
      const response = await dispatch(services, request, mount)
      if (request.method !== 'HEAD') return response
      await response.body?.cancel()
      return new Response(null, response)
    } catch (error) {
      hooks.report(error, {})
      return problemResponse(error instanceof ProblemError ? error : internalProblem())
    }
  }

  return {
    handle,
    fetch: (request) => handle(request),
    async drain(graceMs) {
      aDelay(0)(graceMs, 'graceMs')
      shutdown.hasBegun = true
      const end = clock.now() + graceMs
      // A run that is just being taken over is one of those that are waited for.
      const recovering = recovery.stop()
      if (recovering) await atMost(clock, graceMs, recovering)
      const move = canRecover(base) ? { retryMs: settings.moveRetry } : undefined
      const report = await live.drain(Math.max(0, end - clock.now()), move)
      shutdown.isClosed = true
      responses.end('follower')
      await atMost(clock, flushTime, responses.ended())
      responses.end()
      return report
    },
    async recover() {
      // A store that is away was reported where it was asked.
      return recovery.recover().catch(emptyUnlessWrong)
    },
    get openRuns() {
      return live.size
    },
  }
}

function createServices(settings: HandlerSettings, shutdown: Shutdown): Services {
  const { runtime, limits: most } = settings
  const { clock } = runtime
  const hooks = createHooks({ onError: settings.onError, clock, hookTimeout: settings.hookTimeout })
  const runs = guardRuns(settings.runs, hooks)
  return {
    settings,
    runtime,
    hooks,
    runs,
    sessions: settings.sessions && guardSessions(settings.sessions, hooks),
    live: createLiveRuns(clock, hooks),
    limits: {
      runs: createConcurrencyLimit({
        total: most.runs,
        perUser: most.runsPerUser,
        perAddress: most.runsPerAddress,
        what: 'runs under way',
        retryAfter: 5,
      }),
      followers: createConcurrencyLimit({
        total: most.followers,
        perUser: most.followersPerUser,
        perAddress: most.followersPerAddress,
        what: 'open streams',
        retryAfter: 5,
      }),
      uploads: createConcurrencyLimit({
        total: most.uploads,
        perUser: most.uploadsPerUser,
        perAddress: most.uploadsPerAddress,
        what: 'requests at once',
        retryAfter: 1,
      }),
    },
    checkJournal: createJournalCheck(runs, hooks),
    responses: createOpenResponses(),
    shutdown,
  }
}

/** @throws the error, if an option is wrong */
function emptyUnlessWrong(error: unknown): RecoverReport {
  if (error instanceof ProblemError) return { resumed: [] }
  throw error
}

async function dispatch(services: RunningServices, request: Request, mount: Mount): Promise<Response> {
  const { settings, hooks } = services
  const url = new URL(request.url)
  const route = findRoute(request.method, url.pathname, mount.basePath ?? settings.basePath)
  // A load balancer has no credentials.
  if (route.name === 'health') return showHealth(services)
  const refusal = await refusalOf(settings, hooks, request, wishOf(route))
  if (refusal) return refusal
  const caller = await identifyCaller(settings, hooks, request, mount.address)
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
    case 'session':
      return showSession(exchange, route.sessionId)
    case 'list-runs':
      return listRuns(exchange)
  }
}

function wishOf(route: Exclude<Route, { readonly name: 'health' }>): {
  readonly action: Action
  readonly runId?: string
} {
  switch (route.name) {
    case 'start':
      return { action: 'start' }
    case 'resume-chat':
      return { action: 'follow' }
    case 'session':
      return { action: 'session' }
    case 'list-runs':
      return { action: 'list' }
    default:
      return { action: route.name, runId: route.runId }
  }
}
