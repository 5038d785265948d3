import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool, type MillraceError } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'
import { context, ROOT_CONTEXT, type Span, type Tracer } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterEach, describe, expect, test } from 'vitest'
import { createGuard } from '../src/guard.ts'
import { type Logger, type MeterPort, telemetry, type TelemetryOptions } from '../src/index.ts'
import { createTracing } from '../src/tracing.ts'

afterEach(() => {
  context.disable()
})

function fail(): never {
  throw new Error('The exporter is down')
}

const failingLogger: Logger = { info: fail, warn: fail, error: fail }

/** A logger whose every method is asynchronous and never well. */
function asynchronousLogger(answer: () => Promise<void>): Logger {
  return { info: answer, warn: answer, error: answer }
}

const meterThatFailsLater: MeterPort = {
  createCounter: () => ({ add: fail }),
  createUpDownCounter: () => ({ add: fail }),
  createHistogram: () => ({ record: fail }),
}

const meterThatFails: MeterPort = { createCounter: fail, createUpDownCounter: fail, createHistogram: fail }

const tracerThatFails: Tracer = { startSpan: fail, startActiveSpan: fail }

/** A tracer whose spans throw at `method`. */
function failingAt(method: keyof Span): Tracer {
  const real = new TracerProvider().getTracer('test')
  return {
    startSpan(...args: Parameters<Tracer['startSpan']>) {
      return new Proxy(real.startSpan(...args), {
        get: (span, name) => (name === method ? fail : Reflect.get(span, name, span)),
      })
    },
    startActiveSpan: fail,
  }
}

/** A real SDK whose exporter does what `answer` does. */
function exportingTo(answer: SpanExporter['export']): Tracer {
  const exporter = Object.assign(new InMemorySpanExporter(), { export: answer })
  return new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }).getTracer('test')
}

type With = Parameters<typeof context.setGlobalContextManager>[0]['with']

const contextManagers: Readonly<Record<string, With>> = {
  'throws before it calls': fail,
  'throws after it has called'(_context, body, self, ...args) {
    Reflect.apply(body, self, args)
    return fail()
  },
  // Against its type, as JavaScript may be.
  'calls nothing': () => Reflect.get({}, 'nothing'),
}

function useContextManager(run: With): void {
  const self = {
    active: () => ROOT_CONTEXT,
    with: run,
    bind: <T>(_context: unknown, target: T): T => target,
    enable: () => self,
    disable: () => self,
  }
  context.setGlobalContextManager(self)
}

interface Outcome {
  readonly text: string
  readonly outcome: string
  readonly history: string
  readonly charged: number
  readonly warnings: readonly string[]
}

/** A run with a cut, a retry, a tool that is called and one that fails. */
async function runWith(options: TelemetryOptions | undefined): Promise<Outcome> {
  let charged = 0
  const warnings: string[] = []
  const warn = (error: MillraceError): void => void warnings.push(error.message)
  await using claude = await startClaude({
    script: [
      {
        content: [
          text('I charge the card.'),
          toolUse('charge', {}, { id: 'toolu_1' }),
          toolUse('broken', {}, { id: 'toolu_2' }),
        ],
      },
      { content: [text('It is paid.')] },
    ],
    faults: [{ kind: 'destroy', at: { event: 4 }, turn: 2, times: 1 }],
  })
  const schema = { jsonSchema: { type: 'object' } } as const
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
    request: { model: 'claude-opus-5-5', max_tokens: 1000 },
    tools: [
      defineTool({
        name: 'charge',
        description: 'Charges.',
        inputSchema: schema,
        async run(_input, { progress }) {
          for (let done = 0; done < 1000; done++) progress({ progress: done })
          charged += 1
          return 'Charged'
        },
      }),
      defineTool({ name: 'broken', description: 'Fails.', inputSchema: schema, run: fail }),
    ],
    use: options === undefined ? [] : [telemetry({ onWarning: warn, ...options })],
    recovery: { backoff: 0 },
  })
  const run = agent.run({ messages: [{ role: 'user', content: 'Pay' }] })
  for await (const _ of run);
  const { text: said, outcome, messages } = await run.result
  return { text: said, outcome, history: JSON.stringify(messages), charged, warnings }
}

const bad: Readonly<Record<string, TelemetryOptions>> = {
  'a meter that gives no instruments': { meter: meterThatFails },
  'a meter whose instruments throw': { meter: meterThatFailsLater },
  'a tracer that gives no spans': { tracer: tracerThatFails },
  'spans that throw at setAttributes': { tracer: failingAt('setAttributes') },
  'spans that throw at setStatus': { tracer: failingAt('setStatus') },
  'spans that throw at end': { tracer: failingAt('end') },
  'an exporter that throws': { tracer: exportingTo(fail) },
  'an exporter that never answers': { tracer: exportingTo(() => {}) },
  'a logger that throws': { logger: failingLogger },
  'a logger that rejects': { logger: asynchronousLogger(async () => fail()) },
  'a logger that never settles': { logger: asynchronousLogger(() => new Promise(() => {})) },
  'all of them, and onWarning as well': {
    meter: meterThatFails,
    tracer: tracerThatFails,
    logger: failingLogger,
    onWarning: fail,
  },
}

const [meterFailed, tracerFailed, loggerFailed] = ['meter', 'tracer', 'logger'].map(
  (part) => `Telemetry: the ${part} failed`,
)

/** What `onWarning` is told; an exporter's failures are told to OpenTelemetry. */
const told: Readonly<Record<string, readonly unknown[]>> = {
  'a meter that gives no instruments': [meterFailed],
  'a meter whose instruments throw': [meterFailed],
  'a tracer that gives no spans': [tracerFailed],
  'spans that throw at setAttributes': [tracerFailed],
  'spans that throw at setStatus': [tracerFailed],
  'spans that throw at end': [tracerFailed],
  'a logger that throws': [loggerFailed],
  'a logger that rejects': [loggerFailed],
}

describe('does not change a run with', () => {
  test.each(Object.keys(bad))('%s', async (name) => {
    const plain = await runWith(undefined)
    const { warnings, ...measured } = await runWith(bad[name])
    expect(measured).toEqual({ ...plain, warnings: undefined })
    expect(measured).toMatchObject({ outcome: 'completed', text: 'It is paid.', charged: 1 })
    // One word of each, however often it failed.
    expect(warnings.toSorted()).toEqual(told[name] ?? [])
  })

  test.each(Object.keys(contextManagers))('a context manager that %s', async (name) => {
    useContextManager(contextManagers[name] ?? fail)
    const { outcome, text: said, charged } = await runWith({ tracer: new TracerProvider().getTracer('test') })
    expect({ outcome, said, charged }).toEqual({ outcome: 'completed', said: 'It is paid.', charged: 1 })
  })
})

test.each(Object.keys(contextManagers))(
  'what a span is around is called once, with a context manager that %s',
  async (name) => {
    useContextManager(contextManagers[name] ?? fail)
    const guard = createGuard(undefined)
    const open = createTracing(new TracerProvider().getTracer('test'), guard)
    for (const way of ['within', 'withinMuted'] as const) {
      let calls = 0
      const given = await open('span', 'internal', {}, undefined)[way](async () => ++calls)
      expect({ way, given, calls }).toEqual({ way, given: 1, calls: 1 })
      const failing = open('span', 'internal', {}, undefined)[way](() => {
        calls += 1
        return fail()
      })
      await expect(failing).rejects.toThrow('The exporter is down')
      expect(calls).toBe(2)
    }
  },
)
