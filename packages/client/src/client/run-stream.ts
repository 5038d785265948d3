import { isMillraceError, MillraceError } from '@millrace/core'
import { wait } from '@millrace/core/kit'
import { type CancelAnswer, contentParameter, type StartRunBody } from '@millrace/wire'
import type { ClientSettings } from '../http/client-options.ts'
import { type EventConnection, openConnection } from '../http/event-connection.ts'
import type { HttpRequest } from '../http/send.ts'
import type { ClientEvent, StreamReset } from '../view/client-event.ts'
import { reduceEvent } from '../view/reduce-events.ts'
import { emptyView, type RunView } from '../view/view.ts'

/**
 * The events of a run. After a lost connection, and when the run moves to another instance, the stream goes on from the
 * last event, without loss or repetition. It ends after `run.finished`. Leaving an iteration disconnects and does not stop the
 * run; iterating again goes on from there. The first request is sent when iteration begins.
 *
 * Iteration throws a MillraceError when the server refuses, when reconnecting has failed too often, and when events are
 * gone (`events_missed`) or inconsistent (`protocol_error`) even when read again from the first.
 */
export interface RunStream extends AsyncIterable<ClientEvent> {
  readonly runId: string
  /** The view of everything that has been received. */
  readonly view: RunView
  /** The same events, in batches as they arrive. */
  batches(): AsyncIterable<readonly ClientEvent[]>
  /** Stops the run on any instance. Its last events still arrive. Throws as the client's `cancel` does. */
  cancel(reason?: string, options?: { readonly signal?: AbortSignal }): Promise<CancelAnswer>
}

export interface RunStreamStart {
  readonly runId: string
  /** The body that starts the run; undefined if it runs already. */
  readonly body: StartRunBody | undefined
  readonly view: RunView
  /** Whether `view` holds all events before its cursor, so that texts can be verified. */
  readonly isWhole: boolean
  readonly signal: AbortSignal
}

interface StreamState {
  view: RunView
  isWhole: boolean
  /** Whether the run is known to exist on the server. */
  isStarted: boolean
  isDone: boolean
  hasReset: boolean
  /** Whether a text differs from what was sent. */
  isDamaged: boolean
  /** Set while the last event is that the run moves: how long to wait before asking another instance, in milliseconds. */
  movesIn: number | undefined
  failures: number
  retryMs: number | undefined
}

/** Reads batches until the run has finished or `start.signal` aborts. */
export function readRun(
  settings: ClientSettings,
  start: RunStreamStart,
): { readonly state: { readonly view: RunView }; readonly batches: () => AsyncIterable<readonly ClientEvent[]> } {
  const state: StreamState = {
    view: start.view,
    isWhole: start.isWhole,
    isStarted: start.body === undefined,
    isDone: start.view.status === 'finished',
    hasReset: false,
    isDamaged: false,
    movesIn: undefined,
    failures: 0,
    retryMs: undefined,
  }
  let isReading = false

  async function* batches(): AsyncIterable<readonly ClientEvent[]> {
    if (isReading)
      throw new MillraceError('invalid_input', 'the run is already being iterated; end that iteration first')
    isReading = true
    try {
      yield* readThrough(settings, start, state)
    } finally {
      isReading = false
    }
  }

  return { state, batches }
}

async function* readThrough(
  settings: ClientSettings,
  start: RunStreamStart,
  state: StreamState,
): AsyncIterable<readonly ClientEvent[]> {
  const { signal } = start
  while (!state.isDone && !signal.aborted) {
    let failure: unknown
    let connection: EventConnection | undefined
    try {
      connection = await openConnection(settings, nextRequest(settings, start, state), signal)
      state.isStarted = true
      if (!connection.hasEvents) state.isDone = true
      yield* readConnection(connection, state)
      failure = new MillraceError('truncated', 'the connection ended before the run did', { retryable: true })
    } catch (error) {
      failure = error
    }
    if (state.isDone || signal.aborted) return
    state.retryMs = connection?.retryMs() ?? state.retryMs
    const reset = resetFor(failure, state)
    if (reset) {
      yield [reset]
      continue
    }
    // A deploy is no failure: it is neither counted nor backed off from.
    if (state.movesIn !== undefined) {
      await wait(settings.clock, state.movesIn * (0.5 + settings.runtime.random() / 2), signal)
      state.movesIn = undefined
      continue
    }
    await backOff(settings, state, failure, signal)
  }
}

async function* readConnection(connection: EventConnection, state: StreamState): AsyncIterable<readonly ClientEvent[]> {
  for await (const events of connection.batches) {
    const fresh: ClientEvent[] = []
    for (const event of events) {
      if (event.seq <= state.view.seq) continue
      if (event.seq !== state.view.seq + 1) {
        throw new MillraceError('protocol_error', `events ${state.view.seq + 1} to ${event.seq - 1} are missing`, {
          retryable: true,
        })
      }
      const { damage, ...view } = reduceEvent(state.view, event)
      if (damage && state.isWhole) {
        state.isDamaged = true
        throw new MillraceError('protocol_error', 'the text of a block is not what was sent')
      }
      state.view = view
      fresh.push(event)
    }
    if (fresh.length === 0) continue
    state.failures = 0
    state.movesIn = fresh.at(-1)?.type === 'run.moving' ? state.view.moving?.retryMs : undefined
    state.isDone = state.view.status === 'finished'
    yield fresh
    if (state.isDone) return
  }
}

function nextRequest(
  { rawContent }: ClientSettings,
  { runId, body }: RunStreamStart,
  { isStarted, view }: StreamState,
): HttpRequest {
  const query = new URLSearchParams(rawContent ? [[contentParameter.name, contentParameter.raw]] : [])
  if (!isStarted) {
    const path = query.size > 0 ? `/runs?${query}` : '/runs'
    // With the same run id, the request may be sent again when its answer is lost.
    return { method: 'POST', path, body: { ...body, runId } }
  }
  query.set('after', String(view.seq))
  return { method: 'GET', path: `/runs/${encodeURIComponent(runId)}/events?${query}` }
}

/** Starts over from the first event, once, if the stream cannot continue from what was received. */
function resetFor(failure: unknown, state: StreamState): StreamReset | undefined {
  const isGone = isMillraceError(failure, 'events_missed')
  if (state.hasReset || state.view.seq === 0 || !(isGone || state.isDamaged)) return undefined
  const reset: StreamReset = { type: 'reset', seq: 0, reason: isGone ? 'gone' : 'mismatch' }
  state.hasReset = true
  state.isWhole = true
  state.isDamaged = false
  state.view = reduceEvent(state.view, reset)
  return reset
}

/** Waits before the next attempt. @throws the failure, if it is permanent or was the last one allowed */
async function backOff(
  { reconnect, clock, runtime }: ClientSettings,
  state: StreamState,
  failure: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { attempts, minDelayMs, maxDelayMs } = reconnect
  state.failures++
  if (!isMillraceError(failure) || !failure.retryable || state.failures > attempts) throw failure
  const least = Math.min(maxDelayMs, (state.retryMs ?? minDelayMs) * 2 ** (state.failures - 1))
  // Half of the delay is random, so that the clients of a restarted server do not all reconnect at once.
  const delay = least * (0.5 + runtime.random() / 2)
  await wait(clock, Math.min(maxDelayMs, Math.max(delay, failure.retryAfterMs ?? 0)), signal)
}

export const wholeFromStart: Pick<RunStreamStart, 'view' | 'isWhole'> = { view: emptyView, isWhole: true }
