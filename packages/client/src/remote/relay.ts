import {
  type AgentEvent,
  type EventBody,
  MillraceError,
  type RunDecision,
  type RunHandle,
  type ToolLedger,
} from '@millrace/core'
import type { RemoteHistory } from './remote-history.ts'

/** Passes on an event of the service, or the end of a call that the service never told. */
export type Relay = (event: AgentEvent | UnsettledCall) => void

interface UnsettledCall extends Extract<EventBody, { readonly type: 'tool.finished' }> {
  readonly seq?: undefined
}

export interface RelayOptions {
  readonly handle: RunHandle
  readonly history: RemoteHistory
  /** The decision that was taken here, which replaces the service's. */
  readonly decision: RunDecision | undefined
  readonly ledger: ToolLedger | undefined
  readonly readOnlyTools: readonly string[]
}

/** Emits the service's events as the run's own, keeps history, and writes executed calls into the ledger. */
export function relayTo({ handle, history, decision, ledger, readOnlyTools }: RelayOptions): Relay {
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

/** Ends each call whose end never came as a call of unknown outcome. */
export function settleUnknown(handle: RunHandle, history: RemoteHistory, relay: Relay): void {
  for (const call of history.unsettled()) {
    relay({ type: 'tool.finished', ...call, result: unknownResult, outcome: 'unknown', durationMs: 0 })
    handle.report(
      new MillraceError('tool_outcome_unknown', `Whether the call ${call.toolUseId} of ${call.name} ran is not known`),
    )
  }
}

const unknownResult =
  'The outcome of this call is unknown: the service that ran it was lost. It may or may not have taken effect.'
