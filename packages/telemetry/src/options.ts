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

/** `false` switches it off. */
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

/** @throws MillraceError with the option's path and what is expected there */
export function checkTelemetryOptions(given: unknown): void {
  checkOptions(given, '', rules)
}
