import type { Runtime } from '../kit/clock.ts'
import { asMillraceError, clientError, MillraceError } from '../kit/errors.ts'
import { guarded } from '../kit/hooks.ts'
import { onAbort } from '../kit/signals.ts'
import type { AgentEvent } from '../protocol/events.ts'
import { createShownText, type ShownText } from '../reduce/shown-text.ts'
import { type AgentCallbacks, createCallbackDispatcher } from './callbacks.ts'
import { createEventChannel } from './event-channel.ts'
import { createEventSender, isLast } from './event-sender.ts'
import { noJournal } from './journal.ts'
import type { RunHandle } from './run-handle.ts'
import { createMove } from './move.ts'
import type { AgentRun, RunResult } from './run.ts'

/** What drives a run: the loop, a remote run's events, or an adapted loop. */
export interface RunDriver {
  readonly runId: string
  readonly runtime: Runtime
  /** Told of everything that was recovered from. */
  readonly onWarning?: ((error: MillraceError) => void) | undefined
  /** The `seq` of the last event that another instance has sent already. Default: 0. */
  readonly tail?: number
  /** What another instance has shown already. Default: nothing. */
  readonly shown?: ShownText
  /** Emits every event but `run.finished`, which is made from the result. */
  readonly drive: (handle: RunHandle) => Promise<RunResult>
  /** Returns the result for a `drive` that throws, which is a defect. */
  readonly crashed: (error: MillraceError, handle: RunHandle) => RunResult
}

/** Starts a run: its numbering, its consumers, its callbacks, its journal, its end. */
// oxlint-disable-next-line max-lines-per-function -- short functions over one run
export function createRun(driver: RunDriver): AgentRun {
  const { runId, runtime, onWarning, shown = createShownText() } = driver
  const channel = createEventChannel()
  const controller = new AbortController()
  const observers = new Set<(event: AgentEvent) => void>()
  const deferred: Promise<void>[] = []
  let journal = noJournal
  const move = createMove({ controller, interrupt, isDurable: () => journal !== noJournal })

  const warn = (error: MillraceError): void => {
    // The warning callback itself failed. Nothing is left to report to, so ignore it.
    guarded(
      () => onWarning?.(error),
      () => {},
    )
  }
  let dispatcher = createCallbackDispatcher({}, runId, warn)
  let detach = (): void => {}

  function send(events: readonly AgentEvent[]): void {
    channel.push(events)
    // The last event closes the run in the store, or lets it go: `close` stores it.
    journal.record(events.filter((event) => !isLast(event)))
    for (const event of events) {
      shown.apply(event)
      dispatcher.dispatch(event)
      for (const observer of observers) guarded(() => observer(event), observerFailed)
    }
  }

  const sender = createEventSender({ runId, clock: runtime.clock, tail: driver.tail ?? 0, send })

  function observerFailed(cause: unknown): void {
    dispatcher.report(new MillraceError('middleware_failed', 'an observer of events failed', { cause }))
  }

  function interrupt(reason = 'interrupted'): void {
    controller.abort(new MillraceError('aborted', reason))
  }

  function attach(callbacks: AgentCallbacks = {}, signal?: AbortSignal): void {
    dispatcher = createCallbackDispatcher(callbacks, runId, warn)
    detach()
    if (signal !== undefined) detach = onAbort(signal, () => interrupt('aborted by signal'))
  }

  const handle: RunHandle = {
    runId,
    signal: controller.signal,
    shown,
    attach,
    async record(openJournal) {
      journal = await openJournal(handle)
      move.begin()
      await journal.begin?.()
    },
    emit(body) {
      if (move.admits(body)) sender.emit(body)
    },
    batch: (body) => sender.batch(body),
    ready: () => channel.ready(controller.signal) ?? journal.ready(),
    flush: () => move.check() ?? journal.flush(),
    lost: () => journal.lost(),
    isMoving: () => move.isAsked(),
    defer: (work) => void deferred.push(work),
    interrupt,
    observe: (observer) => void observers.add(observer),
    report: (error) => dispatcher.report(error),
  }

  /** Stores the last event, and waits for what the run has left running in the background. */
  async function close(last: AgentEvent): Promise<void> {
    try {
      await journal.finish(last)
    } catch (cause) {
      dispatcher.report(new MillraceError('store_unavailable', 'the end of the run could not be stored', { cause }))
    }
    await Promise.all(deferred)
  }

  async function drive(): Promise<RunResult> {
    let result: RunResult
    try {
      result = await driver.drive(handle)
    } catch (cause) {
      result = driver.crashed(asMillraceError(cause), handle)
    }
    const departure = move.departure(result)
    if (departure !== undefined) result = { ...result, outcome: 'interrupted', error: departure.error }
    const { outcome, stopReason, usage, error } = result
    const last = sender.emit(
      departure?.event ?? {
        type: 'run.finished',
        outcome,
        stopReason,
        usage,
        ...(error !== undefined && { error: clientError(error) }),
      },
    )
    if (last !== undefined) await close(last)
    detach()
    channel.close()
    return result
  }

  return {
    runId,
    // In a microtask, so that its caller can attach consumers before the first event.
    result: Promise.resolve().then(drive),
    interrupt,
    move: (options) => move.ask(options),
    batches: () => channel.batches(),
    [Symbol.asyncIterator]: () => channel[Symbol.asyncIterator](),
  }
}
