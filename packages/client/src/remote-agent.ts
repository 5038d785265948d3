import {
  type Agent,
  type AgentEvent,
  type AgentRun,
  createRun,
  type EventBody,
  isMillraceError,
  type Message,
  MillraceError,
  type RunHandle,
  type RunInput,
} from '@millrace/core'
import { parseStartRun, type StartRunBody } from '@millrace/wire'
import { type ClientOptions, type ClientSettings, readClientOptions } from './client-options.ts'
import { clientOf } from './create-client.ts'
import { pause } from './pause.ts'
import { type RemoteEnd, type RemoteHistory, remoteHistory } from './remote-history.ts'
import type { RunStream } from './run-stream.ts'

export interface RemoteAgentOptions extends Omit<ClientOptions, 'headers' | 'rawContent'> {
  /** Headers of every request of a run, or what gives them for it, so that the service knows who asks. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | ((input: RunInput) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)
  /** Plain JSON that is kept with the run. */
  readonly metadata?: (input: RunInput) => Readonly<Record<string, unknown>>
  /** The service's tools without effects. A call of another one counts as an effect when the run is handed over. */
  readonly readOnlyTools?: readonly string[]
  /** How long an interrupted run may take to end by itself, in milliseconds. Default: 40,000. */
  readonly interruptTimeoutMs?: number
  /** Told of what was recovered from. A throw is ignored. */
  readonly onWarning?: (error: MillraceError) => void
}

/** How long the service may take to accept a cancel before its answer is no longer waited for, in milliseconds. */
const cancelTimeoutMs = 2000

/**
 * An agent that runs in another process, behind `@millrace/server`. The server must allow raw content: history is rebuilt
 * from it. Where the service fails and cannot be reached again, the run ends `failed` with what is known of it: a call
 * that the model had asked for and whose end never came is of unknown outcome. `adaptLoop` then hands over.
 *
 * `user`, `flags` and `owner` of a run's input stay here, `request` is refused: the service decides those. `reconnect`
 * defaults to 3 attempts within 2 seconds each.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function remoteAgent(options: RemoteAgentOptions): Agent {
  const { headers, metadata, readOnlyTools = [], interruptTimeoutMs = 40_000, onWarning, ...rest } = options
  const reconnect = { attempts: 3, maxDelayMs: 2000, ...rest.reconnect }
  const settings = { ...readClientOptions({ ...rest, reconnect }), rawContent: true }
  return {
    run(input) {
      const body = toBody(input, metadata)
      const settingsOfRun = headers === undefined ? settings : { ...settings, headers: headersOf(headers, input) }
      return startRemote({ settings: settingsOfRun, input, body, readOnlyTools, interruptTimeoutMs, onWarning })
    },
  }
}

function headersOf(headers: NonNullable<RemoteAgentOptions['headers']>, input: RunInput): ClientSettings['headers'] {
  return typeof headers === 'function' ? () => headers(input) : () => headers
}

function toBody(input: RunInput, metadata: RemoteAgentOptions['metadata']): StartRunBody {
  if (input.request !== undefined) {
    throw new MillraceError('invalid_input', 'a remote agent sets its own request parameters', { path: 'request' })
  }
  const { messages, sessionId, decision } = input
  const decided = decision && (decision.mode === 'stream' ? 'stream' : 'buffered')
  const mode = decided ?? input.mode
  return parseStartRun({
    messages,
    retraction: retractionOf(input),
    ...(sessionId !== undefined && { sessionId }),
    ...(mode !== undefined && { mode }),
    ...(metadata && { metadata: metadata(input) }),
  })
}

/** What the consumer here can do decides what the service may do. */
function retractionOf({ retraction = 'auto', callbacks }: RunInput): NonNullable<StartRunBody['retraction']> {
  if (retraction !== 'auto') return retraction
  return callbacks?.onText && !callbacks.onRetract ? 'continue' : 'retract'
}

interface RemoteRun {
  readonly settings: ClientSettings
  readonly input: RunInput
  readonly body: StartRunBody
  readonly readOnlyTools: readonly string[]
  readonly interruptTimeoutMs: number
  readonly onWarning: ((error: MillraceError) => void) | undefined
}

function startRemote(remote: RemoteRun): AgentRun {
  const { settings, input, onWarning } = remote
  const { runtime } = settings
  const runId = input.runId ?? runtime.newId()
  const given: readonly Message[] = input.messages.filter(isMessage)
  const history = remoteHistory(runId, given)
  return createRun({
    runId,
    runtime,
    onWarning,
    async drive(handle) {
      handle.attach(input.callbacks, input.signal)
      const end = await follow(remote, handle, history)
      return history.result(end)
    },
    crashed: (error) => history.result({ outcome: 'failed', error }),
  })
}

/** Passes the remote run's events on until it ends, one way or the other. */
async function follow(remote: RemoteRun, handle: RunHandle, history: RemoteHistory): Promise<RemoteEnd> {
  const { settings, input } = remote
  if (handle.signal.aborted) return { outcome: 'interrupted' }
  const leaving = new AbortController()
  const client = clientOf(settings)
  // The service wants a UUID; whoever runs us may call the run as they like.
  const remoteId = isUuid(handle.runId) ? handle.runId : settings.runtime.newId()
  const stream = client.start({ ...remote.body, runId: remoteId }, { signal: leaving.signal })
  const onInterrupt = (): void => void interrupt(remote, stream, handle, leaving)
  handle.signal.addEventListener('abort', onInterrupt, { once: true })
  const relay = relayTo(handle, history, input, remote.readOnlyTools)
  try {
    for await (const batch of stream.batches()) {
      for (const event of batch) {
        if (event.type === 'reset') throw lostTrack()
        if (event.type === 'unknown') continue
        if (event.type === 'run.finished') {
          history.take(event)
          if (history.lacksContent) throw noRawContent()
          return endOf(event)
        }
        relay(event)
      }
      await handle.ready()
    }
    if (!handle.signal.aborted) throw lostTrack()
    settleUnknown(handle, history, relay)
    return { outcome: 'interrupted' }
  } catch (cause) {
    const error = asError(cause)
    leaving.abort()
    // Before somebody takes over: the service may be alive, and only its stream lost.
    if (error.retryable || stream.view.seq > 0) await cancelQuietly(settings, stream)
    settleUnknown(handle, history, relay)
    return handle.signal.aborted ? { outcome: 'interrupted' } : { outcome: 'failed', error }
  } finally {
    handle.signal.removeEventListener('abort', onInterrupt)
    leaving.abort()
  }
}

type Relay = (event: AgentEvent | UnsettledCall) => void

interface UnsettledCall extends Extract<EventBody, { readonly type: 'tool.finished' }> {
  readonly seq?: undefined
}

function relayTo(
  handle: RunHandle,
  history: RemoteHistory,
  { decision, ledger }: RunInput,
  readOnlyTools: readonly string[],
): Relay {
  const started = new Set<string>()
  let seq = 0

  return (given) => {
    const event: AgentEvent = given.seq === undefined ? { ...given, seq: seq + 1, runId: handle.runId, at: 0 } : given
    seq = event.seq
    history.take(event)
    const { seq: _seq, runId: _runId, at: _at, ...body } = event
    handle.emit(body.type === 'run.started' && decision ? { ...body, decision } : body)
    if (event.type === 'tool.started') started.add(event.toolUseId)
    if (event.type !== 'tool.finished') return
    const { toolUseId, name, input, outcome, result } = event
    const wasRun = started.has(toolUseId) || outcome === 'unknown'
    if (!wasRun || outcome === 'discarded') return
    const idempotencyKey = `${handle.runId}:${toolUseId}`
    const readOnly = readOnlyTools.includes(name)
    ledger?.record({ name, input, toolUseId, idempotencyKey, outcome, readOnly, result })
  }
}

/** Ends the calls of whose end nothing is known as what they are. */
function settleUnknown(handle: RunHandle, history: RemoteHistory, relay: Relay): void {
  for (const call of history.unsettled()) {
    relay({ type: 'tool.finished', ...call, result: unknownResult, outcome: 'unknown', durationMs: 0 })
    handle.report(
      new MillraceError('tool_outcome_unknown', `Whether the call ${call.toolUseId} of ${call.name} ran is not known`),
    )
  }
}

const unknownResult =
  'The outcome of this call is unknown: the service that ran it was lost. It may or may not have taken effect.'

/** Asks the service to end the run, and leaves it where it does not. */
async function interrupt(
  { settings, interruptTimeoutMs }: RemoteRun,
  stream: RunStream,
  handle: RunHandle,
  leaving: AbortController,
): Promise<void> {
  const reason = isMillraceError(handle.signal.reason) ? handle.signal.reason.message : 'interrupted'
  try {
    await stream.cancel(reason.slice(0, 256) || 'interrupted')
    await pause(settings.clock, interruptTimeoutMs, leaving.signal)
  } catch (cause) {
    handle.report(asError(cause))
  }
  leaving.abort()
}

async function cancelQuietly(settings: ClientSettings, stream: RunStream): Promise<void> {
  const answered = new AbortController()
  const cancelled = stream.cancel('the caller lost the run').then(
    () => answered.abort(),
    () => answered.abort(),
  )
  await Promise.race([cancelled, pause(settings.clock, cancelTimeoutMs, answered.signal)])
  answered.abort()
}

function endOf({ outcome, error }: Extract<AgentEvent, { readonly type: 'run.finished' }>): RemoteEnd {
  if (!error) return { outcome }
  const { code, message, retryable, requestId } = error
  return {
    outcome,
    error: new MillraceError(code, message, { retryable, ...(requestId !== undefined && { requestId }) }),
  }
}

function isUuid(id: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)
}

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'role' in message
}

function asError(cause: unknown): MillraceError {
  if (isMillraceError(cause)) return cause
  return new MillraceError('internal', 'the remote run could not be followed', { cause })
}

function lostTrack(): MillraceError {
  return new MillraceError('protocol_error', 'the events of the remote run were lost', { retryable: true })
}

function noRawContent(): MillraceError {
  return new MillraceError('protocol_error', 'the service does not send raw content: allow it there')
}
