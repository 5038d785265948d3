import { createCircuitBreaker } from '@millrace/core'
import { pino } from 'pino'
import { manualClock } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import { telemetry } from '../src/index.ts'
import { fellBack, finished, retracted, said, started, teller, toolFinished, toolStarted, turnStarted } from './told.ts'

test('logs ids and numbers through pino, without the content of messages', () => {
  const lines: string[] = []
  const logger = pino({ level: 'info', base: null, timestamp: false }, { write: (line) => void lines.push(line) })
  const clock = manualClock()
  const breaker = createCircuitBreaker({ clock, minimumAttempts: 1 })
  const watch = telemetry({ logger, clock, breaker, meter: false })
  const tell = teller(watch.onEvent, clock, 'run-1')
  tell(started(), turnStarted('stream'), said('a secret word'))
  clock.advance(250)
  tell(retracted, fellBack({ stage: 'after_output' }), turnStarted('buffered'))
  tell(toolStarted('look_up'), toolFinished('look_up'), toolFinished('look_up', { outcome: 'timeout', durationMs: 30 }))
  tell(finished())
  teller(
    watch.onEvent,
    clock,
    'run-2',
  )(
    started({ arm: 'control', mode: 'legacy' }),
    finished({ outcome: 'failed', error: { code: 'legacy_failed', message: 'a secret message', retryable: false } }),
  )
  breaker.permit()?.failed()

  const run = { runId: 'run-1', mode: 'stream', arm: 'streaming', model: 'unknown' }
  const [info, warn, error] = [30, 40, 50]
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: warn, event: 'retraction', ...run, turn: 1, reason: 'connection_lost', msg: 'Output retracted' },
    {
      level: warn,
      event: 'fallback',
      ...run,
      turn: 1,
      from: 'stream',
      to: 'buffered',
      reason: 'connection_lost',
      stage: 'after_output',
      msg: 'Fallback',
    },
    {
      level: warn,
      event: 'tool.ended',
      ...run,
      tool: 'look_up',
      toolUseId: 'toolu_1',
      outcome: 'timeout',
      durationMs: 30,
      msg: 'Tool call failed',
    },
    {
      level: info,
      event: 'run.ended',
      ...run,
      outcome: 'completed',
      rung: 'buffered',
      turns: 1,
      durationMs: 250,
      firstTextMs: 0,
      msg: 'Run ended',
    },
    {
      level: error,
      event: 'run.ended',
      runId: 'run-2',
      mode: 'legacy',
      arm: 'control',
      model: 'unknown',
      outcome: 'failed',
      rung: 'legacy',
      turns: 0,
      durationMs: 0,
      errorType: 'legacy_failed',
      msg: 'Run ended',
    },
    { level: warn, event: 'breaker.changed', from: 'closed', to: 'open', msg: 'The circuit breaker is open' },
  ])
  expect(lines.join('')).not.toContain('secret')
})

test('logs a call of unknown outcome, even if the user stopped it', () => {
  const seen: unknown[] = []
  const log = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void seen.push([fields['outcome'], message])
  const clock = manualClock()
  const watch = telemetry({ logger: { info: log, warn: log, error: log }, clock, meter: false })
  const tell = teller(watch.onEvent, clock, 'run-1')
  tell(started(), toolStarted('pay'), toolFinished('pay', { outcome: 'unknown' }), finished({ outcome: 'interrupted' }))
  expect(seen).toEqual([
    ['unknown', 'Tool call of unknown outcome'],
    ['cancelled', 'Run ended'],
  ])
})

test('leaves out fields that are unknown, such as the run of a tool of the control group', () => {
  const seen: unknown[] = []
  const log = (fields: unknown): void => void seen.push(fields)
  const clock = manualClock()
  const watch = telemetry({
    logger: { info: log, warn: log, error: log },
    clock,
    meter: false,
    legacyModel: 'claude-x',
  })
  watch.onLegacyTool({ name: 'look_up', ok: false, durationMs: 12.044476, reused: false })
  teller(watch.onEvent, clock, 'run-1')(started({ arm: 'control', mode: 'legacy' }), finished())
  const control = { mode: 'legacy', arm: 'control', model: 'claude-x' }
  // Strictly: a field that is undefined is a field, which not every logger leaves out.
  expect(seen).toStrictEqual([
    { event: 'tool.ended', ...control, tool: 'look_up', outcome: 'error', durationMs: 12 },
    {
      event: 'run.ended',
      runId: 'run-1',
      ...control,
      outcome: 'completed',
      rung: 'legacy',
      turns: 0,
      durationMs: 0,
    },
  ])
})
