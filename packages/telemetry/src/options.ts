import type { CircuitBreaker, Clock, MillraceError } from '@millrace/core'
import {
  aClock,
  aCount,
  aDuration,
  aFunction,
  anId,
  anObject,
  checkOptions,
  oneOf,
  type Rule,
  withMethods,
} from '@millrace/core/kit'
import type { Tracer } from '@opentelemetry/api'
import type { LabelLimits } from './labeller.ts'
import type { Logger } from './logs.ts'
import type { MeterPort } from './meter.ts'
import type { WindowOptions } from './window/window.ts'

export interface TelemetryOptions {
  /** The agent's name in spans and metrics. Default: none. */
  readonly agentName?: string
  /** `gen_ai.provider.name`, such as `aws.bedrock` or `gcp.vertex_ai`. Default: `anthropic`. */
  readonly provider?: string
  /** The model of the control group, which no event names. Default: `unknown`. */
  readonly legacyModel?: string
  /** Default: a meter of OpenTelemetry's global provider. False: no metrics. */
  readonly meter?: MeterPort | false
  /** Default: a tracer of OpenTelemetry's global provider. False: no spans. */
  readonly tracer?: Tracer | false
  /** Which span represents a request: `own`, which mutes the client's, or only the `client`'s. Default: `own`. */
  readonly chatSpans?: 'client' | 'own'
  /** Default: none. */
  readonly logger?: Logger
  /** The agent's circuit breaker, whose state becomes a metric. Default: none. */
  readonly breaker?: CircuitBreaker
  readonly limits?: LabelLimits & {
    /** Runs that are followed at once. Beyond that, the oldest are dropped. Default: 10,000. */
    readonly runs?: number
  }
  readonly window?: WindowOptions
  /** The clock of the agent. Default: the system's. */
  readonly clock?: Clock
  /** Called with the first failure of the meter, of the tracer and of the logger. Default: failures are ignored. */
  readonly onWarning?: (error: MillraceError) => void
}

/** Accepts `false`, which switches the feature off, or what `rule` accepts. */
function orFalse(rule: Rule): Rule {
  return (value, path) => {
    if (value !== false) rule(value, path)
  }
}

const rules = {
  agentName: anId,
  provider: anId,
  legacyModel: anId,
  meter: orFalse(withMethods('createCounter', 'createUpDownCounter', 'createHistogram')),
  tracer: orFalse(withMethods('startSpan')),
  chatSpans: oneOf('own', 'client'),
  logger: withMethods('info', 'warn', 'error'),
  breaker: withMethods('permit', 'onChange'),
  limits: anObject({ models: aCount(1), tools: aCount(1), reasons: aCount(1), runs: aCount(1) }),
  window: anObject({ length: aDuration, steps: aCount(1) }),
  clock: aClock,
  onWarning: aFunction,
}

/** Checks the options. @throws MillraceError with the option's path and what is expected there */
export function checkTelemetryOptions(given: unknown): void {
  checkOptions(given, '', rules)
}
