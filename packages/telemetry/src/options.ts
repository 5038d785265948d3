import { type CircuitBreaker, type Clock, MillraceError } from '@millrace/core'
import type { Tracer } from '@opentelemetry/api'
import type { LabelLimits } from './labeller.ts'
import type { Logger } from './logs.ts'
import type { MeterPort } from './meter.ts'
import { isRecord } from '@millrace/core/kit'
import type { WindowOptions } from './window/window.ts'

export interface TelemetryOptions {
  /** The agent's name in spans and metrics. Default: none. */
  readonly agentName?: string
  /** `gen_ai.provider.name`: `aws.bedrock` or `gcp.vertex_ai` where the model is reached there. Default: `anthropic`. */
  readonly provider?: string
  /** The model that the control group runs with, which no event names. Default: `unknown`. */
  readonly legacyModel?: string
  /** Default: a meter of OpenTelemetry's global provider. False: no metrics. */
  readonly meter?: MeterPort | false
  /** Default: a tracer of OpenTelemetry's global provider. False: no spans. */
  readonly tracer?: Tracer | false
  /** Whose span stands for a request: `own`, and the client's is kept silent, or the `client`'s alone. Default: `own`. */
  readonly chatSpans?: 'client' | 'own'
  /** Default: none. */
  readonly logger?: Logger
  /** The breaker that the agent was given, so that its state is a metric. Default: none. */
  readonly breaker?: CircuitBreaker
  readonly limits?: LabelLimits & {
    /** Runs that are followed at once; of more, the oldest are let go. Default: 10,000. */
    readonly runs?: number
  }
  readonly window?: WindowOptions
  /** The clock that the agent has. Default: the system's. */
  readonly clock?: Clock
  /** Told of the first failure of each: the meter, the tracer, the logger. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
}

type Rule = (value: unknown) => boolean

const aName: Rule = (value) => typeof value === 'string' && value !== ''
const aCount: Rule = (value) => Number.isSafeInteger(value) && Number(value) >= 1
const aTime: Rule = (value) => typeof value === 'number' && value >= 1 && value <= Number.MAX_SAFE_INTEGER
const aFunction: Rule = (value) => typeof value === 'function'

function having(...methods: readonly string[]): Rule {
  return (value) =>
    typeof value === 'object' && value !== null && methods.every((name) => aFunction(Reflect.get(value, name)))
}

interface Rules {
  readonly [option: string]: readonly [rule: Rule, expected: string] | Rules
}

const label = [aCount, 'must be a whole number of at least 1'] as const

const meterMethods = ['createCounter', 'createUpDownCounter', 'createHistogram']

const rules: Rules = {
  agentName: [aName, 'must be a string that is not empty'],
  provider: [aName, 'must be a string that is not empty'],
  legacyModel: [aName, 'must be a string that is not empty'],
  meter: [(value) => value === false || having(...meterMethods)(value), 'must be a meter, or false'],
  tracer: [(value) => value === false || having('startSpan')(value), 'must be a tracer, or false'],
  chatSpans: [(value) => value === 'own' || value === 'client', 'must be "own" or "client"'],
  logger: [having('info', 'warn', 'error'), 'must be an object with info(), warn(), error()'],
  breaker: [having('permit', 'onChange'), 'must be a circuit breaker, made by createCircuitBreaker'],
  limits: { models: label, tools: label, reasons: label, runs: label },
  window: { length: [aTime, 'must be a number of milliseconds, at least 1'], steps: label },
  clock: [having('now', 'setTimer'), 'must be a clock'],
  onWarning: [aFunction, 'must be a function'],
}

/** @throws MillraceError with the option's path and what is expected there */
export function checkOptions(given: unknown, known: Rules = rules, path = ''): void {
  if (!isRecord(given)) throw invalid('invalid_option', path === '' ? 'options' : path, 'must be an object')
  for (const [key, value] of Object.entries(given)) {
    const at = path === '' ? key : `${path}.${key}`
    const expected = Object.hasOwn(known, key) ? known[key] : undefined
    if (expected === undefined) {
      throw invalid('unknown_option', at, `is no option; known are ${Object.keys(known).join(', ')}`)
    }
    if (value === undefined) continue
    if (!isRule(expected)) checkOptions(value, expected, at)
    else if (!expected[0](value)) throw invalid('invalid_option', at, expected[1])
  }
}

function isRule(value: readonly [Rule, string] | Rules): value is readonly [Rule, string] {
  return Array.isArray(value)
}

function invalid(code: 'invalid_option' | 'unknown_option', path: string, expected: string): MillraceError {
  return new MillraceError(code, `telemetry: ${path} ${expected}`, { path })
}
