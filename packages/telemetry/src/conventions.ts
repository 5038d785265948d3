/**
 * Names of the OpenTelemetry conventions for generative AI. They are copied because they are in development and the package
 * that exports them marks them as deprecated. Source: `open-telemetry/semantic-conventions-genai`,
 * `docs/gen-ai/client-inference.md` at 024a4f944a12 and `docs/gen-ai/gen-ai-metrics.md` at 004902b8cb70.
 */
export const attributes = {
  agentName: 'gen_ai.agent.name',
  conversationId: 'gen_ai.conversation.id',
  errorType: 'error.type',
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  requestModel: 'gen_ai.request.model',
  requestReasoning: 'gen_ai.request.reasoning.level',
  requestStopSequences: 'gen_ai.request.stop_sequences',
  requestStream: 'gen_ai.request.stream',
  requestTemperature: 'gen_ai.request.temperature',
  requestTopK: 'gen_ai.request.top_k',
  requestTopP: 'gen_ai.request.top_p',
  responseFinishReasons: 'gen_ai.response.finish_reasons',
  responseFirstChunk: 'gen_ai.response.time_to_first_chunk',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  tokenModality: 'gen_ai.token.modality',
  toolCallId: 'gen_ai.tool.call.id',
  toolName: 'gen_ai.tool.name',
  toolType: 'gen_ai.tool.type',
  usageCacheRead: 'gen_ai.usage.cache_read.input_tokens',
  usageCacheWrite: 'gen_ai.usage.cache_write.input_tokens',
  usageInput: 'gen_ai.usage.input_tokens',
  usageOutput: 'gen_ai.usage.output_tokens',
  usageReasoning: 'gen_ai.usage.reasoning.output_tokens',
} as const

/** Our own span attributes. Metrics use the short names: `mode`, `arm`. */
export const ownAttributes = {
  arm: 'millrace.arm',
  attempt: 'millrace.attempt',
  mode: 'millrace.mode',
  outcome: 'millrace.outcome',
  runId: 'millrace.run.id',
  toolOutcome: 'millrace.tool.outcome',
  turn: 'millrace.turn',
} as const
