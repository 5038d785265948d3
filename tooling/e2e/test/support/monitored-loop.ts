import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer, type Server } from 'node:http'
import type Anthropic from '@anthropic-ai/sdk'
import {
  adaptLoop,
  type AdaptedLoop,
  type CircuitBreaker,
  type Clock,
  createAgent,
  createCircuitBreaker,
  createRetryBudget,
  defineTool,
  type FlagClient,
  type LegacyScope,
} from '@millrace/core'
import { wrapLegacyTool } from '@millrace/core/legacy-tool'
import { telemetry, type Telemetry } from '@millrace/telemetry'
import { createPrometheus } from '@millrace/telemetry/prometheus'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'

const model = 'claude-opus-5-5'

/** An application that measures itself: its metrics are behind `server`, which does not listen yet. */
export interface Measured {
  readonly watch: Telemetry
  readonly breaker: CircuitBreaker
  readonly server: Server
}

/** As a guide tells who has no OpenTelemetry. */
export function measured(clock: Clock): Measured {
  // #region prometheus
  const breaker = createCircuitBreaker({ clock })
  const prometheus = createPrometheus()
  const watch = telemetry({ agentName: 'orders', legacyModel: model, breaker, meter: prometheus.meter })

  const server = createServer((_request, response) => {
    response.setHeader('content-type', prometheus.contentType)
    response.end(prometheus.text())
  })
  // #endregion prometheus
  return { watch, breaker, server }
}

/** As a guide tells who has OpenTelemetry's SDK, and no Collector. */
export function measuredBySdk(clock: Clock): Measured {
  const breaker = createCircuitBreaker({ clock })
  // #region sdk
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meters = new MeterProvider({ readers: [exporter] })
  const watch = telemetry({ agentName: 'orders', legacyModel: model, breaker, meter: meters.getMeter('orders') })

  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response))
  // #endregion sdk
  return { watch, breaker, server }
}

export interface LoopOptions extends Measured {
  readonly client: Anthropic
  readonly clock: Clock
  readonly flags: FlagClient
  /** The tool, and what stands for the loop that the application had. */
  readonly findOrder: (input: unknown) => Promise<string>
  readonly executeAgentLoop: (question: string, findOrder: (input: unknown) => Promise<string>) => Promise<string>
}

/** An existing loop with streaming beside it, both of them watched. */
export function watchedLoop(options: LoopOptions): AdaptedLoop<void, [question: string, user: string], string> {
  const { client, clock, flags, watch, breaker, findOrder, executeAgentLoop } = options
  // Enough for all that a test breaks.
  const budget = createRetryBudget({ clock, minimum: 1_000_000 })
  // #region loop
  const scope = new AsyncLocalStorage<LegacyScope>()

  const findOrderMeasured = wrapLegacyTool({
    name: 'find_order',
    scope,
    run: findOrder,
    fromEntry: ({ output }) => String(output),
    onCall: watch.onLegacyTool,
  })

  const agent = createAgent({
    client,
    request: { model, max_tokens: 4096 },
    tools: [
      defineTool({
        name: 'find_order',
        description: 'Finds an order.',
        inputSchema: { jsonSchema: { type: 'object' } },
        readOnly: true,
        run: findOrder,
      }),
    ],
    use: [watch],
    recovery: { breaker, budget, backoff: 0 },
  })

  const answer = adaptLoop({
    legacy: (question: string, _user: string) => executeAgentLoop(question, findOrderMeasured),
    agent,
    toInput: (question) => ({ messages: [{ role: 'user', content: question }] }),
    fromResult: ({ text }) => text,
    flags,
    context: (_question, user) => ({ targetingKey: user }),
    onEvent: watch.onEvent,
  })
  // #endregion loop
  return answer
}
