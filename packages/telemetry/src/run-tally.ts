import type { AgentEvent, RunDecision, TurnMode } from '@millrace/core'
import type { Labeller } from './labeller.ts'
import type { ObservedRun, Observe, RunEnd, RunRung } from './observation.ts'

export interface NewRun {
  readonly runId: string
  readonly sessionId: string | undefined
  readonly decision: RunDecision
  readonly model: string
  /** Milliseconds since the epoch, on the clock of the events. */
  readonly startedAt: number
  /** Whether another process started the run. The time to the first text is then unknown here. */
  readonly resumed: boolean
}

export interface RunTallyOptions extends NewRun {
  readonly observe: Observe
  readonly label: Labeller
}

/** Adds up the events of one run. */
export interface RunTally {
  /** Counts an event. One whose number was seen before is ignored. */
  take(event: AgentEvent): void
  /** Sets the model, if it becomes known only after the start. */
  setModel(model: string): void
  readonly run: ObservedRun
}

type ToolFinished = Extract<AgentEvent, { type: 'tool.finished' }>

const depth: Readonly<Record<RunRung, number>> = { stream: 0, buffered: 1, legacy: 2 }

export function createRunTally(options: RunTallyOptions): RunTally {
  const { runId, sessionId, decision, startedAt, resumed, observe, label } = options
  const { mode, arm } = decision
  const called = new Set<string>()
  /** Calls of unknown outcome. The next turn, or the end of the run, shows whether the user stopped them. */
  let held: ToolFinished[] = []
  let run: ObservedRun = { runId, sessionId, mode, arm, model: options.model }
  let rung: RunRung = mode
  let turns = 0
  let firstTextMs: number | undefined
  let lastSeq = 0

  function lower(to: TurnMode): void {
    if (depth[to] > depth[rung]) rung = to
  }

  /** Keeps names that the model made up from using up the labels of real tools. */
  function toolLabel(name: string): string {
    return called.has(name) || Object.hasOwn(decision.tools, name) ? label.tool(name) : label.unknownTool
  }

  function endTool({ name, toolUseId, outcome, durationMs: ms }: ToolFinished, interrupted: boolean): void {
    observe({ type: 'tool.ended', run, tool: toolLabel(name), toolUseId, outcome, interrupted, ms })
  }

  function release(interrupted: boolean): void {
    const ended = held
    held = []
    for (const event of ended) endTool(event, interrupted)
  }

  const since = (at: number): number => Math.max(0, at - startedAt)

  function end(how: RunEnd, at: number, errorType: string | undefined): void {
    observe({ type: 'run.ended', run, end: how, rung, turns, ms: since(at), firstTextMs, errorType })
  }

  function take(event: AgentEvent): void {
    if (event.seq <= lastSeq) return
    lastSeq = event.seq
    switch (event.type) {
      case 'turn.started':
        release(false)
        turns = Math.max(turns, event.turn)
        lower(event.mode)
        return
      case 'text.delta':
        if (!resumed) firstTextMs ??= since(event.at)
        return
      case 'tool.started':
        called.add(event.name)
        return
      case 'tool.finished':
        if (event.reused === true) return
        if (event.outcome === 'unknown') held.push(event)
        else endTool(event, false)
        return
      case 'fallback': {
        const { turn, from, to, stage } = event
        const reason = label.reason(event.reason)
        return observe({ type: 'fallback', run, turn, from, to, reason, stage })
      }
      case 'turn.retracted':
        return observe({ type: 'retraction', run, turn: event.turn, reason: label.reason(event.reason) })
      case 'run.finished': {
        release(event.outcome === 'interrupted')
        const how = endOf(event)
        return end(how, event.at, how === 'failed' ? label.reason(event.error?.code ?? 'internal') : undefined)
      }
      case 'run.moving':
        release(false)
        return end('taken_over', event.at, undefined)
      default:
        return
    }
  }

  return {
    take,
    setModel(model) {
      run = { ...run, model }
    },
    get run() {
      return run
    },
  }
}

function endOf({ outcome, stopReason, error }: Extract<AgentEvent, { type: 'run.finished' }>): RunEnd {
  switch (outcome) {
    case 'interrupted':
      return 'cancelled'
    case 'limit':
      return stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded' ? 'truncated' : 'limit'
    case 'failed':
      return error?.code === 'lease_lost' ? 'taken_over' : 'failed'
    case 'completed':
    case 'refused':
      return outcome
  }
}
