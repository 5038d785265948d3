import {
  createCircuitBreaker,
  type EventBody,
  type FaultCode,
  type RunDecision,
  type ToolOutcome,
} from '@millrace/core'
import { metrics as globalMetrics } from '@opentelemetry/api'
import { manualClock } from '@millrace/testing/async'
import { describe, expect, test } from 'vitest'
import { metricList, type MeterPort, telemetry, type TelemetryOptions } from '../src/index.ts'
import { createPrometheus } from '../src/prometheus/index.ts'
import { startOtelSdk } from './otel.ts'
import { fellBack, finished, retracted, said, started, teller, toolFinished, toolStarted, turnStarted } from './told.ts'

/** Telemetry that is told of runs by hand, and the samples that Prometheus would scrape of it. */
function watched(options: TelemetryOptions = {}) {
  const prometheus = createPrometheus()
  const clock = manualClock()
  const watch = telemetry({ meter: prometheus.meter, clock, ...options })
  let runs = 0
  return {
    watch,
    clock,
    run: (...bodies: readonly EventBody[]) => teller(watch.onEvent, clock, `run-${++runs}`)(...bodies),
    samples: (start: string) =>
      prometheus
        .text()
        .split('\n')
        .filter((line) => line.startsWith(start)),
  }
}

describe('counts the end of a run', () => {
  test.each<[string, string, Partial<Extract<EventBody, { type: 'run.finished' }>>]>([
    ['completed', 'completed', { outcome: 'completed' }],
    ['interrupted by the user', 'cancelled', { outcome: 'interrupted' }],
    ['refused', 'refused', { outcome: 'refused', stopReason: 'refusal' }],
    ['out of turns', 'limit', { outcome: 'limit', stopReason: 'tool_use' }],
    ['paused too often', 'limit', { outcome: 'limit', stopReason: 'pause_turn' }],
    ['out of tokens', 'truncated', { outcome: 'limit', stopReason: 'max_tokens' }],
    ['out of context', 'truncated', { outcome: 'limit', stopReason: 'model_context_window_exceeded' }],
    [
      'with another process at the wheel',
      'taken_over',
      { outcome: 'failed', error: { code: 'lease_lost', message: '', retryable: false } },
    ],
    ['failed', 'failed', { outcome: 'failed', error: { code: 'overloaded', message: '', retryable: true } }],
  ])('%s is %s', (_, outcome, given) => {
    const { run, samples, watch } = watched()
    run(started(), finished(given))
    expect(samples('millrace_runs_total').filter((line) => !line.endsWith(' 0'))).toEqual([
      `millrace_runs_total{arm="streaming",gen_ai_request_model="unknown",mode="stream",outcome="${outcome}",rung="stream"} 1`,
    ])
    const isFailure = outcome === 'failed'
    expect(samples('millrace_errors_total')).toEqual(
      isFailure ? ['millrace_errors_total{arm="streaming",error_type="overloaded",mode="stream",source="run"} 1'] : [],
    )
    const [group] = watch.window.snapshot().groups
    expect(group?.judged).toBe(outcome === 'cancelled' || outcome === 'taken_over' ? 0 : 1)
    expect(group?.successRate).toBe(group?.judged === 0 ? null : isFailure ? 0 : 1)
  })

  test.each<[readonly ('buffered' | 'legacy' | 'stream')[], RunDecision['mode'], string]>([
    [['stream', 'stream'], 'stream', 'stream'],
    [['stream', 'buffered', 'stream'], 'stream', 'buffered'],
    [['stream', 'buffered', 'legacy'], 'stream', 'legacy'],
    [['buffered'], 'buffered', 'buffered'],
    [['legacy'], 'legacy', 'legacy'],
  ])('turns asked by %j of a run that was to be %s: its rung is %s', (turns, mode, rung) => {
    const { run, samples } = watched()
    run(started({ mode }), ...turns.map((asked, index) => turnStarted(asked, index + 1)), finished())
    expect(samples('millrace_runs_total').find((line) => line.endsWith(' 1'))).toContain(`rung="${rung}"`)
  })
})

test('gives a completion rate of 0 for a model whose every run fails', () => {
  const { run, samples } = watched()
  run(started(), finished({ outcome: 'failed' }))
  expect(
    samples('millrace_runs_total{arm="streaming",gen_ai_request_model="unknown",mode="stream",outcome="completed"'),
  ).toEqual(
    ['stream', 'buffered', 'legacy'].map(
      (rung) =>
        `millrace_runs_total{arm="streaming",gen_ai_request_model="unknown",mode="stream",outcome="completed",rung="${rung}"} 0`,
    ),
  )
})

test('measures the time to the first text and to the end, once per run', () => {
  const { watch, clock, samples } = watched()
  const tell = teller(watch.onEvent, clock, 'run')
  tell(started())
  clock.advance(400)
  tell(said('The'))
  clock.advance(1200)
  tell(said(' order'), finished())
  const [group] = watch.window.snapshot().groups
  expect(group?.firstText).toMatchObject({ count: 1, sum: 400 })
  expect(group?.total).toMatchObject({ count: 1, sum: 1600 })
  expect(samples('millrace_run_time_to_first_text_seconds_sum')[0]).toMatch(/ 0\.4$/)
  expect(samples('gen_ai_invoke_agent_duration_seconds_sum')[0]).toMatch(/ 1\.6$/)
})

test('counts active runs up and down', () => {
  const { watch, clock, samples } = watched()
  const [one, other] = [teller(watch.onEvent, clock, 'one'), teller(watch.onEvent, clock, 'other')]
  one(started())
  other(started({ arm: 'control', mode: 'legacy' }))
  expect(samples('millrace_runs_active')).toEqual([
    'millrace_runs_active{arm="streaming",mode="stream"} 1',
    'millrace_runs_active{arm="control",mode="legacy"} 1',
  ])
  expect(watch.window.snapshot().active).toBe(2)
  one(finished())
  other(finished())
  expect(samples('millrace_runs_active').map((line) => line.at(-1))).toEqual(['0', '0'])
  expect(watch.window.snapshot().active).toBe(0)
})

describe('tool calls', () => {
  test.each<[ToolOutcome, object]>([
    ['ok', { calls: 1, failed: 0, cancelled: 0 }],
    ['error', { calls: 1, failed: 1, cancelled: 0 }],
    ['timeout', { calls: 1, failed: 1, cancelled: 0 }],
    ['unknown', { calls: 1, failed: 1, cancelled: 0 }],
    ['cancelled', { calls: 0, failed: 0, cancelled: 1 }],
    ['discarded', { calls: 0, failed: 0, cancelled: 1 }],
  ])('%s', (outcome, counts) => {
    const { run, samples, watch } = watched()
    run(started(), toolStarted('look_up'), toolFinished('look_up', { outcome }), finished())
    expect(watch.window.snapshot().groups[0]?.tools).toEqual({ look_up: counts })
    expect(samples('gen_ai_execute_tool_duration_seconds_count')[0]).toContain(
      outcome === 'ok'
        ? 'gen_ai_tool_name="look_up",gen_ai_tool_type="function",mode="stream"} 1'
        : `error_type="${outcome}"`,
    )
    const isFailure = outcome === 'error' || outcome === 'timeout' || outcome === 'unknown'
    expect(samples('millrace_errors_total')).toHaveLength(isFailure ? 1 : 0)
  })

  test('count as cancelled if the user stopped them and their outcome is unknown', () => {
    const { run, samples, watch } = watched()
    run(
      started(),
      toolStarted('pay'),
      toolFinished('pay', { outcome: 'unknown' }),
      turnStarted('stream'),
      toolFinished('pay', { outcome: 'unknown' }),
      toolFinished('pay', { outcome: 'error' }),
      finished({ outcome: 'interrupted' }),
    )
    expect(watch.window.snapshot().groups[0]?.tools).toEqual({ pay: { calls: 2, failed: 2, cancelled: 1 } })
    expect(
      samples('gen_ai_execute_tool_duration_seconds_count').map((line) => /error_type="(\w+)"/.exec(line)?.[1]),
    ).toEqual(['unknown', 'error', 'cancelled'])
    expect(samples('millrace_errors_total')).toHaveLength(2)
  })

  test('are not counted if the ledger answered them', () => {
    const { run, watch } = watched()
    run(started(), toolFinished('look_up', { reused: true }), finished())
    expect(watch.window.snapshot().groups[0]?.tools).toEqual({})
  })

  test('are labelled "other" if the model invented the name', () => {
    const { run, watch } = watched()
    run(
      started({ tools: { known: false } }),
      toolFinished('made_up', { outcome: 'error' }),
      toolFinished('known', { outcome: 'error' }),
      toolStarted('late'),
      toolFinished('late'),
      finished(),
    )
    expect(Object.keys(watch.window.snapshot().groups[0]?.tools ?? {})).toEqual(['other', 'known', 'late'])
  })

  test('accept a tool named __proto__', () => {
    const { run, watch } = watched()
    run(started(), toolStarted('__proto__'), toolFinished('__proto__'), finished())
    expect(JSON.stringify(watch.window.snapshot().groups[0]?.tools)).toBe(
      '{"__proto__":{"calls":1,"failed":0,"cancelled":0}}',
    )
  })

  test('of the legacy loop count for the control group, except reused results', () => {
    const { watch, samples } = watched()
    watch.onLegacyTool({ name: 'look_up', ok: true, durationMs: 20, reused: false })
    watch.onLegacyTool({ name: 'look_up', ok: false, durationMs: 20, reused: false })
    watch.onLegacyTool({ name: 'look_up', ok: true, durationMs: 20, reused: true })
    expect(watch.window.snapshot().groups).toMatchObject([
      { arm: 'control', mode: 'legacy', tools: { look_up: { calls: 2, failed: 1, cancelled: 0 } } },
    ])
    expect(samples('gen_ai_execute_tool_duration_seconds_count')).toHaveLength(2)
  })
})

describe('bounds', () => {
  test('models, tools and reasons: labels later values "other" and cuts long ones', () => {
    const limits = { models: 2, tools: 3, reasons: 2 }
    const { watch, clock, samples } = watched({ limits })
    for (let index = 0; index < 1000; index++) {
      const tell = teller(watch.onEvent, clock, `run-${index}`)
      const name = `tool_${'x'.repeat(1000)}_${index}`
      tell(
        started({ tools: { [`tool_${index}`]: true } }),
        toolFinished(`tool_${index}`),
        toolStarted(name),
        toolFinished(name),
      )
      // A remote agent of another version may send codes that are unknown here.
      const code: FaultCode = JSON.parse(`"code_${index}"`)
      tell(fellBack({ reason: code }), finished({ outcome: 'failed', error: { code, message: '', retryable: false } }))
    }
    const [group] = watch.window.snapshot().groups
    expect(Object.keys(group?.tools ?? {}).map((name) => name.length)).toEqual([6, 200, 6, 5])
    expect(new Set(group?.fallbacks.map(({ reason }) => reason))).toEqual(new Set(['code_0', 'code_1', 'other']))
    expect(samples('millrace_fallbacks_total')).toHaveLength(3)
    expect(samples('gen_ai_execute_tool_duration_seconds_count')).toHaveLength(4)
    expect(group?.judged).toBe(1000)
  })

  test('records and logs a run at a cost that does not grow with its deltas and progress', () => {
    const countCalls = (times: number): number => {
      let calls = 0
      const call = (): void => void calls++
      const meter: MeterPort = {
        createCounter: () => ({ add: call }),
        createUpDownCounter: () => ({ add: call }),
        createHistogram: () => ({ record: call }),
      }
      const { run } = watched({ meter, logger: { info: call, warn: call, error: call } })
      const progress: EventBody = { type: 'tool.progress', toolUseId: 'toolu_1', name: 't', turn: 1, elapsedMs: 1 }
      const many = Array.from({ length: times }, () => [said('word '), progress]).flat()
      run(started(), turnStarted('stream'), toolStarted('t'), ...many, toolFinished('t'), finished())
      return calls
    }
    expect(countCalls(10_000)).toBe(countCalls(1))
  })

  test('drops the oldest of too many runs that never end, and no longer counts them as active', () => {
    const { watch, clock, samples } = watched({ limits: { runs: 10 } })
    const tellers = Array.from({ length: 100 }, (_, index) => teller(watch.onEvent, clock, `run-${index}`))
    for (const tell of tellers) tell(started())
    expect(watch.window.snapshot().active).toBe(10)
    for (const tell of tellers) tell(said('Hello'), finished())
    expect(watch.window.snapshot()).toMatchObject({ active: 0, groups: [{ judged: 10 }] })
    expect(samples('millrace_runs_active')[0]).toMatch(/ 0$/)
  })
})

test('ignores events without a start, a second start, and events after the end', () => {
  const { watch, clock } = watched()
  const tell = teller(watch.onEvent, clock, 'run')
  tell(said('Hello'), retracted, finished())
  expect(watch.window.snapshot().groups).toEqual([])
  tell(started(), started({ arm: 'control' }), finished(), finished(), toolFinished('late'))
  expect(watch.window.snapshot().groups).toMatchObject([{ arm: 'streaming', judged: 1, tools: {} }])
})

test('has one series before the first run', () => {
  expect(watched().samples('millrace_')).toEqual(['millrace_runs_active{arm="streaming",mode="stream"} 0'])
})

describe('the circuit breaker', () => {
  const states = ['closed', 'open', 'half_open']
  const stateOf = (samples: readonly string[]) =>
    states.filter((state) => samples.includes(`millrace_circuit_breaker_state{state="${state}"} 1`))

  test('reports 1 for its state and 0 for the others, from the start to the close', () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, minimumAttempts: 1, cooldown: 10 })
    const { watch, samples } = watched({ breaker })
    const now = () => stateOf(samples('millrace_circuit_breaker_state'))
    expect(now()).toEqual(['closed'])
    breaker.permit()?.failed()
    expect(now()).toEqual(['open'])
    clock.advance(10)
    const probe = breaker.permit()
    expect(now()).toEqual(['half_open'])
    probe?.succeeded()
    expect(now()).toEqual(['closed'])
    watch.close()
    expect(now()).toEqual([])
    breaker.permit()?.failed()
    expect(now()).toEqual([])
  })

  test('reports its state to a provider that is registered later', async () => {
    globalMetrics.disable()
    const breaker = createCircuitBreaker({ clock: manualClock(), minimumAttempts: 1 })
    telemetry({ breaker })
    await using sdk = startOtelSdk()
    breaker.permit()?.failed()
    const points = await sdk.points('millrace.circuit_breaker.state')
    expect(points.map(({ labels, value }) => [labels['state'], value])).toEqual([
      ['closed', 0],
      ['open', 1],
    ])
  })
})

test('counts in the window without a meter and a tracer', () => {
  const { run, watch, samples } = watched({ meter: false, tracer: false })
  run(started(), finished())
  expect(watch.window.totals().groups[0]?.judged).toBe(1)
  expect(samples('millrace')).toEqual([])
})

test('lists every recorded metric with its labels', () => {
  const recorded = new Map<string, Set<string>>()
  const instrument =
    (name: string) =>
    (_value: number, labels: Readonly<Record<string, string>> = {}) => {
      recorded.set(name, new Set([...(recorded.get(name) ?? []), ...Object.keys(labels)]))
    }
  const meter: MeterPort = {
    createCounter: (name) => ({ add: instrument(name) }),
    createUpDownCounter: (name) => ({ add: instrument(name) }),
    createHistogram: (name) => ({ record: instrument(name) }),
  }
  const { run } = watched({ meter, agentName: 'orders' })
  run(
    started(),
    fellBack(),
    retracted,
    said('Hello'),
    toolStarted('t'),
    toolFinished('t', { outcome: 'error' }),
    finished(),
  )
  expect(recorded.size).toBeGreaterThan(6)
  for (const [name, labels] of recorded) {
    const listed = metricList.find((metric) => metric.name === name)
    expect(listed?.labels, name).toEqual(expect.arrayContaining([...labels]))
    const always = listed?.labels.filter((label) => !listed.optional.includes(label))
    expect([...labels], name).toEqual(expect.arrayContaining(always ?? ['a list']))
  }
})
