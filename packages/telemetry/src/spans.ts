import { isMillraceError } from '@millrace/core'
import type { RunResult, RunScope, ToolCall, ToolCallEnd, TurnEnd, TurnScope } from '@millrace/core'
import type { Attributes, Context } from '@opentelemetry/api'
import { attributes, ownAttributes } from './conventions.ts'
import { countedOutcome, isToolFailure } from './observation.ts'
import { requestAttributes, requestedModel, responseAttributes } from './span-attributes.ts'
import { tokenCounts } from './token-counts.ts'
import type { OpenSpanBelow, SpanError } from './tracing.ts'

export interface SpansOptions {
  readonly open: OpenSpanBelow
  /** Whether each request has a span of ours instead of the client's. */
  readonly chat: boolean
  readonly agentName: string | undefined
  readonly provider: string
}

/** The spans of one run. */
export interface RunSpans {
  run(next: () => Promise<RunResult>): Promise<RunResult>
  /** @param firstChunkMs is called when the request has ended */
  request(
    scope: TurnScope,
    next: (scope: TurnScope) => Promise<TurnEnd>,
    firstChunkMs: () => number | undefined,
  ): Promise<TurnEnd>
  tool(call: ToolCall, next: (call: ToolCall) => Promise<ToolCallEnd>): Promise<ToolCallEnd>
}

export function createRunSpans({ open, chat, agentName, provider }: SpansOptions, scope: RunScope): RunSpans {
  const { sessionId } = scope
  const ofAgent: Attributes = {
    ...(agentName !== undefined && { [attributes.agentName]: agentName }),
    ...(sessionId !== undefined && { [attributes.conversationId]: sessionId }),
  }
  let runContext: Context | undefined

  return {
    async run(next) {
      const name = agentName === undefined ? 'invoke_agent' : `invoke_agent ${agentName}`
      const span = open(name, 'internal', { ...runAttributes(scope), ...ofAgent }, undefined)
      runContext = span.context
      let result: RunResult | undefined
      try {
        result = await span.within(next)
        return result
      } finally {
        span.end(result === undefined ? {} : resultAttributes(result), runError(result))
      }
    },

    async request(given, next, firstChunkMs) {
      // With the client's span, no span of ours is opened.
      const span = chat
        ? open(
            `chat ${requestedModel(given)}`,
            'client',
            { ...requestAttributes(given, provider), ...ofAgent },
            runContext,
          )
        : undefined
      if (span === undefined) return next(given)
      let end: TurnEnd | undefined
      try {
        end = await span.withinMuted(() => next(given))
        return end
      } finally {
        const error = end?.status === 'broken' ? describe(end.error) : undefined
        span.end(responseAttributes(end?.message, firstChunkMs()), error)
      }
    },

    async tool(call, next) {
      // Below the run and not the active span, because a tool that starts early starts inside a request.
      const span = open(`execute_tool ${call.name}`, 'internal', { ...callAttributes(call), ...ofAgent }, runContext)
      let end: ToolCallEnd | undefined
      try {
        end = await span.within(() => next(call))
        return end
      } finally {
        const interrupted = scope.signal.aborted
        const outcome = end && countedOutcome({ outcome: end.outcome, interrupted })
        const failure = outcome !== undefined && isToolFailure(outcome) ? { type: outcome } : undefined
        span.end(end === undefined ? {} : { [ownAttributes.toolOutcome]: end.outcome }, failure)
      }
    },
  }
}

function runAttributes({ runId, decision, model }: RunScope): Attributes {
  return {
    [attributes.operation]: 'invoke_agent',
    [attributes.requestModel]: model,
    [ownAttributes.runId]: runId,
    [ownAttributes.mode]: decision.mode,
    [ownAttributes.arm]: decision.arm,
  }
}

function callAttributes({ name, toolUseId }: ToolCall): Attributes {
  return {
    [attributes.operation]: 'execute_tool',
    [attributes.toolName]: name,
    [attributes.toolCallId]: toolUseId,
    [attributes.toolType]: 'function',
  }
}

function resultAttributes({ outcome, stopReason, usage }: RunResult): Attributes {
  const { input, output } = tokenCounts(usage)
  return {
    [ownAttributes.outcome]: outcome,
    [attributes.usageInput]: input,
    [attributes.usageOutput]: output,
    ...(stopReason !== null && { [attributes.responseFinishReasons]: [stopReason] }),
  }
}

function runError(result: RunResult | undefined): SpanError | undefined {
  if (result === undefined) return { type: 'internal' }
  return result.outcome === 'failed' ? describe(result.error) : undefined
}

function describe(error: unknown): SpanError {
  return isMillraceError(error) ? { type: error.code, message: error.message } : { type: 'internal' }
}
