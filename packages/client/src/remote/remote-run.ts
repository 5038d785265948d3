import {
  type AgentEvent,
  isMessage,
  isMillraceError,
  type Message,
  MillraceError,
  type PreparedRun,
  type RunDecision,
  type RunHandle,
  type RunInput,
} from '@millrace/core'
import { wait } from '@millrace/core/kit'
import { createShownText } from '@millrace/core/reduce'
import type { StartRunBody } from '@millrace/wire'
import { type Client, clientOf } from '../client/create-client.ts'
import type { ClientSettings } from '../http/client-options.ts'
import { relayTo, settleUnknown } from './relay.ts'
import { type RemoteEnd, type RemoteHistory, remoteHistory } from './remote-history.ts'

export interface RemoteRun {
  readonly settings: ClientSettings
  readonly input: RunInput
  readonly body: StartRunBody
  readonly readOnlyTools: readonly string[]
  readonly interruptTimeoutMs: number
}

/** Prepares a run of the service, to be driven on any handle. */
export function prepareRemote(remote: RemoteRun): PreparedRun {
  const { input } = remote
  const messages: readonly Message[] = input.messages.filter(isMessage)
  return {
    input,
    messages,
    tail: 0,
    decision: undefined,
    legacy: undefined,
    shown: createShownText(),
    open: undefined,
    async drive(handle, given = input.decision) {
      const history = remoteHistory(handle.runId, messages)
      if (handle.signal.aborted) return history.result({ outcome: 'interrupted' })
      const result = history.result(await follow(remote, handle, history, given))
      // Blank text is shown but is not part of history.
      return { ...result, text: handle.shown.answer }
    },
    crashed: ({ runId }, error) => remoteHistory(runId, messages).result({ outcome: 'failed', error }),
  }
}

/** Passes the remote run's events on until it ends or is lost. */
async function follow(
  remote: RemoteRun,
  handle: RunHandle,
  history: RemoteHistory,
  decision: RunDecision | undefined,
): Promise<RemoteEnd> {
  const { settings, input, body, readOnlyTools } = remote
  const client = clientOf(settings)
  // The service requires a UUID, while the caller may use any id.
  const remoteId = isUuid(handle.runId) ? handle.runId : settings.runtime.newId()
  const leaving = new AbortController()
  const mode = decision && ({ mode: decision.mode === 'stream' ? 'stream' : 'buffered' } as const)
  const stream = client.start({ ...body, ...mode, runId: remoteId }, { signal: leaving.signal })
  const onInterrupt = (): void => void interrupt(remote, client, remoteId, handle, leaving)
  handle.signal.addEventListener('abort', onInterrupt, { once: true })
  const relay = relayTo({ handle, history, decision, ledger: input.ledger, readOnlyTools })
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
    // Cancel before a handover: the service may be alive, and only its stream lost.
    if (error.retryable || stream.view.seq > 0) {
      await client.cancel(remoteId, 'the caller lost the run').catch(() => undefined)
    }
    settleUnknown(handle, history, relay)
    return handle.signal.aborted ? { outcome: 'interrupted' } : { outcome: 'failed', error }
  } finally {
    handle.signal.removeEventListener('abort', onInterrupt)
    leaving.abort()
  }
}

/** Asks the service to end the run. Leaves it if it does not do so in time or cannot be reached. */
async function interrupt(
  { settings, interruptTimeoutMs }: RemoteRun,
  client: Client,
  remoteId: string,
  handle: RunHandle,
  leaving: AbortController,
): Promise<void> {
  const reason = isMillraceError(handle.signal.reason) ? handle.signal.reason.message : 'interrupted'
  // Not aborted with the stream, so that a slow service is still told. `requestTimeoutMs` bounds the request.
  client.cancel(remoteId, reason.slice(0, 256) || 'interrupted').catch((cause: unknown) => {
    handle.report(asError(cause))
    leaving.abort()
  })
  await wait(settings.clock, interruptTimeoutMs, leaving.signal)
  leaving.abort()
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
