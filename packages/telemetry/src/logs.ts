import type { CircuitState } from '@millrace/core'
import type { Guard } from './guard.ts'
import type { Observation, ObservedRun, Observe } from './observation.ts'
import { isToolFailure } from './observation.ts'

/** Where log lines go. A pino logger fits without an adapter. Return values are ignored. */
export interface Logger {
  info(fields: Readonly<Record<string, unknown>>, message: string): unknown
  warn(fields: Readonly<Record<string, unknown>>, message: string): unknown
  error(fields: Readonly<Record<string, unknown>>, message: string): unknown
}

type Level = keyof Logger

/** Writes observations as log lines: ids, names and numbers, never the content of messages. */
export function writeLogs(logger: Logger, guard: Guard): Observe {
  return (seen) => {
    const line = describe(seen)
    if (line === undefined) return
    const [level, message, fields] = line
    guard('logger', () => logger[level]({ event: seen.type, ...idsOf(seen.run), ...known(fields) }, message))
  }
}

/** Writes a change of the circuit breaker's state. */
export function logBreaker(logger: Logger, guard: Guard, from: CircuitState, to: CircuitState): void {
  const level: Level = to === 'open' ? 'warn' : 'info'
  guard('logger', () => logger[level]({ event: 'breaker.changed', from, to }, `The circuit breaker is ${to}`))
}

type Fields = Readonly<Record<string, unknown>>

/** Returns the ids of a run; none for a tool call of the control group, whose run is unknown here. */
function idsOf({ runId, sessionId, mode, arm, model }: ObservedRun): Fields {
  return known({ runId: runId === '' ? undefined : runId, sessionId, mode, arm, model })
}

/** Removes fields that are undefined, which loggers other than pino would write. */
function known(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function describe(seen: Observation): [Level, string, Fields] | undefined {
  switch (seen.type) {
    case 'run.ended': {
      const { end: outcome, rung, turns, ms: durationMs, firstTextMs, errorType } = seen
      const fields = { outcome, rung, turns, durationMs, firstTextMs, errorType }
      return [outcome === 'failed' ? 'error' : 'info', 'Run ended', fields]
    }
    case 'run.resumed':
      return ['info', 'Run taken over', {}]
    case 'fallback': {
      const { turn, from, to, reason, stage } = seen
      return ['warn', 'Fallback', { turn, from, to, reason, stage }]
    }
    case 'retraction':
      return ['warn', 'Output retracted', { turn: seen.turn, reason: seen.reason }]
    case 'tool.ended': {
      const { tool, toolUseId, outcome, ms } = seen
      const fields = { tool, toolUseId, outcome, durationMs: Math.round(ms) }
      if (outcome === 'unknown') return ['warn', 'Tool call of unknown outcome', fields]
      return isToolFailure(outcome) ? ['warn', 'Tool call failed', fields] : undefined
    }
    case 'run.lost':
      return ['warn', 'Run no longer followed: there are too many at once', {}]
    case 'run.started':
    case 'request.ended':
      return undefined
  }
}
