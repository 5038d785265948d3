import { expect, test } from 'vitest'
import { telemetry, type TelemetrySnapshot } from '../src/index.ts'
import { model, plan, runPlan } from './known-script.ts'
import { type OtelSdk, startOtelSdk } from './otel.ts'

/** The sum of a metric's series by some of their labels, as PromQL would give it; without what never happened. */
async function countBy(sdk: OtelSdk, metric: string, ...labels: readonly string[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const point of await sdk.points(metric)) {
    const key = labels.map((label) => point.labels[label] ?? '-').join(' ')
    const sum = (sums[key] ?? 0) + point.value
    if (sum !== 0) sums[key] = sum
    else delete sums[key]
  }
  return sums
}

async function measure(through: 'adaptLoop' | 'agent'): Promise<{ sdk: OtelSdk; snapshot: TelemetrySnapshot }> {
  const sdk = startOtelSdk()
  const watch = telemetry({ legacyModel: 'the-old-one' })
  await runPlan(through, watch)
  return { sdk, snapshot: JSON.parse(JSON.stringify(watch.window.snapshot())) }
}

const total = Object.values(plan).reduce((sum, count) => sum + count, 0)

test('plans a hundred runs', () => {
  expect(total).toBe(100)
})

test('counts a hundred runs through adaptLoop once each, by outcome, rung, arm and mode', async () => {
  const { sdk, snapshot } = await measure('adaptLoop')
  await using _ = sdk

  expect(await countBy(sdk, 'millrace.runs', 'arm', 'mode', 'outcome', 'rung')).toEqual({
    'streaming stream completed stream': 35,
    'streaming stream completed buffered': 8,
    'streaming stream completed legacy': 6,
    'streaming stream failed legacy': 4,
    'streaming stream cancelled stream': 4,
    'streaming stream truncated stream': 2,
    'streaming stream refused stream': 1,
    'control legacy completed legacy': 33,
    'control legacy failed legacy': 5,
    'control legacy cancelled legacy': 2,
  })
  expect(await countBy(sdk, 'millrace.runs', 'gen_ai.request.model')).toEqual({ [model]: 60, 'the-old-one': 40 })
  expect(await countBy(sdk, 'millrace.runs.active', 'arm')).toEqual({})

  expect(await countBy(sdk, 'millrace.fallbacks', 'from', 'to', 'reason', 'stage')).toEqual({
    'stream stream connection_lost after_output': 18,
    'stream buffered connection_lost after_output': 8,
    'stream legacy bad_request before_output': 10,
  })
  expect(await countBy(sdk, 'millrace.retractions', 'reason')).toEqual({ connection_lost: 10 })
  expect(await countBy(sdk, 'millrace.resumes')).toEqual({})

  expect(await countBy(sdk, 'gen_ai.execute_tool.duration', 'gen_ai.tool.name', 'error.type')).toEqual({
    'look_up -': 44,
    'charge error': 5,
  })
  expect(await countBy(sdk, 'millrace.errors', 'arm', 'source', 'error.type')).toEqual({
    'streaming run legacy_failed': 4,
    'control run legacy_failed': 5,
    'streaming request connection_lost': 26,
    'streaming request bad_request': 10,
    'streaming tool error': 5,
  })

  expect(await countBy(sdk, 'gen_ai.client.inference.duration', 'mode', 'error.type')).toEqual({
    'stream -': 87,
    'buffered -': 8,
    'stream interrupted': 4,
    'stream connection_lost': 26,
    'stream bad_request': 10,
  })
  expect(await countBy(sdk, 'gen_ai.invoke_agent.duration', 'arm', 'error.type')).toEqual({
    'streaming -': 52,
    'streaming interrupted': 4,
    'streaming legacy_failed': 4,
    'control -': 33,
    'control interrupted': 2,
    'control legacy_failed': 5,
  })
  expect(await countBy(sdk, 'millrace.run.time_to_first_text', 'arm')).toEqual({ streaming: 55, control: 33 })
  // Every stream of which an answer came: not those that were refused with a 400, nor the empty one.
  const chunks = await countBy(sdk, 'gen_ai.client.inference.time_to_first_chunk', 'mode')
  expect(Object.keys(chunks)).toEqual(['stream'])
  // An attempt that only repeats what was shown shows nothing of its own: the second cut of eight runs.
  expect(chunks['stream']).toBe(87 + 4 + 26 - 1 - 8)

  // 95 whole answers, and 30 that broke off after the API had told of the input.
  const input = await countBy(sdk, 'gen_ai.client.inference.usage.input_tokens', 'gen_ai.token.modality')
  expect(input).toEqual({ unknown: (95 + 30) * 120 })
  const cached = await countBy(sdk, 'gen_ai.client.inference.usage.cache_read.input_tokens', 'mode')
  expect(cached).toEqual({ stream: (87 + 30) * 20, buffered: 8 * 20 })

  const [control, streaming] = snapshot.groups.toSorted((one, other) => (one.arm < other.arm ? -1 : 1))
  expect(snapshot.groups).toHaveLength(2)
  expect(streaming).toMatchObject({
    arm: 'streaming',
    mode: 'stream',
    runs: {
      completed: { stream: 35, buffered: 8, legacy: 6 },
      failed: { legacy: 4 },
      cancelled: { stream: 4 },
      truncated: { stream: 2 },
      refused: { stream: 1 },
    },
    judged: 56,
    successRate: 52 / 56,
    streamRate: 38 / 56,
    requests: { count: 135, failed: 36, interrupted: 4 },
    tools: { look_up: { calls: 44, failed: 0, cancelled: 0 }, charge: { calls: 5, failed: 5, cancelled: 0 } },
    retractions: { connection_lost: 10 },
    firstText: { count: 55 },
    total: { count: 56 },
  })
  expect(streaming?.fallbacks.reduce((sum, { count }) => sum + count, 0)).toBe(36)
  expect(control).toMatchObject({ arm: 'control', mode: 'legacy', judged: 38, successRate: 33 / 38, streamRate: null })
  expect(snapshot.active).toBe(0)
})

test('counts a hundred runs of an agent alone by its middleware', async () => {
  const { sdk, snapshot } = await measure('agent')
  await using _ = sdk
  expect(await countBy(sdk, 'millrace.runs', 'arm', 'mode', 'outcome', 'rung')).toEqual({
    'streaming stream completed stream': 35,
    'streaming stream completed buffered': 8,
    'streaming stream failed stream': 10,
    'streaming stream cancelled stream': 4,
    'streaming stream truncated stream': 2,
    'streaming stream refused stream': 1,
    'control buffered completed buffered': 33,
    'control buffered failed buffered': 5,
    'control buffered cancelled buffered': 2,
  })
  expect(await countBy(sdk, 'millrace.fallbacks', 'from', 'to', 'reason', 'stage')).toEqual({
    'stream stream connection_lost after_output': 18,
    'stream buffered connection_lost after_output': 8,
  })
  expect(await countBy(sdk, 'millrace.errors', 'arm', 'source', 'error.type')).toEqual({
    'streaming run bad_request': 10,
    'control run bad_request': 5,
    'streaming request connection_lost': 26,
    'streaming request bad_request': 10,
    'control request bad_request': 5,
    'streaming tool error': 5,
  })
  expect(await countBy(sdk, 'gen_ai.execute_tool.duration', 'arm', 'gen_ai.tool.name', 'error.type')).toEqual({
    'streaming look_up -': 44,
    'streaming charge error': 5,
    'control look_up -': 35,
  })
  expect(await countBy(sdk, 'millrace.runs.active', 'arm')).toEqual({})
  expect(Object.fromEntries(snapshot.groups.map(({ arm, judged }) => [arm, judged]))).toEqual({
    streaming: 56,
    control: 38,
  })
})
