import { type AgentCallbacks, createCallbackDispatcher } from './callbacks.ts'
import { asMillraceError, clientError, MillraceError } from '../kit/errors.ts'
import { createEventChannel } from './event-channel.ts'
import type { AgentEvent, EventBody } from '../protocol/events.ts'
import type { AgentRun, RunResult } from './run.ts'
import type { Runtime } from '../kit/clock.ts'

/** What drives a run: the loop, a remote run's events, or the two halves of an adapted loop. */
export interface RunDriver {
  readonly runId: string
  readonly runtime: Runtime
  /** Told of everything that was recovered from. */
  readonly onWarning?: ((error: MillraceError) => void) | undefined
  /** The `seq` of the last event that another instance has sent already. Default: 0. */
  readonly tail?: number
  /** Emits every event but `run.finished`, which is made of the result. */
  readonly drive: (handle: RunHandle) => Promise<RunResult>
  /** The result where `drive` throws, which is a defect. */
  readonly crashed: (error: MillraceError) => RunResult
  /** Called with the last event, before the run's result is given. What it rejects with is reported, and changes nothing. */
  readonly finish?: (event: AgentEvent) => Promise<void>
}

/** A run, as its driver sees it. */
export interface RunHandle {
  readonly runId: string
  /** Aborts when the run is interrupted; its reason is a MillraceError `aborted`. */
  readonly signal: AbortSignal
  /** Calls `callbacks` with what is emitted from now on, and interrupts the run when `signal` aborts. */
  readonly attach: (callbacks: AgentCallbacks | undefined, signal: AbortSignal | undefined) => void
  /** Numbers, dates and sends an event. */
  readonly emit: (body: EventBody) => void
  /** Undefined where readers keep up, else a promise to wait for before reading on. */
  readonly ready: () => Promise<void> | undefined
  /** Stops the run and keeps what was said. The first call counts. */
  readonly interrupt: (reason?: string) => void
  /** Calls `observer` with each later event. */
  readonly observe: (observer: (event: AgentEvent) => void) => void
  /** Reports what was recovered from: a fault, or a bystander that failed. */
  readonly report: (error: MillraceError) => void
}

/** Starts a run: its numbering, its readers, its callbacks, its end. */
export function createRun(driver: RunDriver): AgentRun {
  const { runId, runtime, onWarning } = driver
  const channel = createEventChannel()
  const controller = new AbortController()
  const observers: ((event: AgentEvent) => void)[] = []
  let seq = driver.tail ?? 0
  let finished = false

  const warn = (error: MillraceError): void => {
    try {
      onWarning?.(error)
    } catch {
      // Whoever is told of failures has failed: there is nobody left to tell.
    }
  }
  let dispatcher = createCallbackDispatcher({}, runId, warn)
  let detach = (): void => {}

  function emit(body: EventBody): AgentEvent | undefined {
    // A tool that outlived the run may still report; nothing follows the last event.
    if (finished) return undefined
    const event: AgentEvent = { ...body, seq: ++seq, runId, at: runtime.clock.now() }
    if (event.type === 'run.finished') finished = true
    channel.push(event)
    dispatcher.dispatch(event)
    for (const observer of observers) {
      try {
        observer(event)
      } catch (cause) {
        dispatcher.report(new MillraceError('middleware_failed', 'An observer of events failed', { cause }))
      }
    }
    return event
  }

  const interrupt = (reason = 'interrupted'): void => {
    controller.abort(new MillraceError('aborted', reason))
  }

  function attach(callbacks: AgentCallbacks = {}, signal?: AbortSignal): void {
    dispatcher = createCallbackDispatcher(callbacks, runId, warn)
    detach()
    const onAbort = (): void => interrupt('aborted by signal')
    if (signal?.aborted === true) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    detach = () => signal?.removeEventListener('abort', onAbort)
  }

  const handle: RunHandle = {
    runId,
    signal: controller.signal,
    attach,
    interrupt,
    emit: (body) => void emit(body),
    ready: () => channel.ready(controller.signal),
    observe: (observer) => void observers.push(observer),
    report: (error) => dispatcher.report(error),
  }

  async function drive(): Promise<RunResult> {
    let result: RunResult
    try {
      result = await driver.drive(handle)
    } catch (cause) {
      result = driver.crashed(asMillraceError(cause))
    }
    const { outcome, stopReason, usage, error } = result
    const last = emit({
      type: 'run.finished',
      outcome,
      stopReason,
      usage,
      ...(error !== undefined && { error: clientError(error) }),
    })
    if (last !== undefined) await driver.finish?.(last).catch((cause: unknown) => dispatcher.report(storeFailed(cause)))
    detach()
    channel.close()
    return result
  }

  return {
    runId,
    // In a microtask, so that who asked can attach before the first event.
    result: Promise.resolve().then(drive),
    interrupt,
    [Symbol.asyncIterator]: () => channel[Symbol.asyncIterator](),
  }
}

function storeFailed(cause: unknown): MillraceError {
  return new MillraceError('store_unavailable', 'The end of the run could not be stored', { cause })
}
