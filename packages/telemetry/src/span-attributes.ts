import type { AssistantMessage, TurnScope } from '@millrace/core'
import type { Attributes } from '@opentelemetry/api'
import { attributes, ownAttributes } from './conventions.ts'
import { tokenCounts } from './token-counts.ts'
import { isRecord } from '@millrace/core/kit'

/** Returns the model that a request goes to, which a middleware may have changed. */
export function requestedModel({ request, model }: TurnScope): string {
  const asked = request['model']
  return typeof asked === 'string' ? asked : model
}

/** Returns the attributes of a request. They have no content: no prompt, no tool, no schema. */
export function requestAttributes(scope: TurnScope, provider: string): Attributes {
  const { request, mode, turn, attempt, decision } = scope
  const { output_config: output, stop_sequences: stops } = request
  const effort = isRecord(output) ? output['effort'] : undefined
  return {
    [attributes.operation]: 'chat',
    [attributes.provider]: provider,
    [attributes.requestModel]: requestedModel(scope),
    [ownAttributes.arm]: decision.arm,
    [ownAttributes.mode]: mode,
    [ownAttributes.turn]: turn,
    [ownAttributes.attempt]: attempt,
    ...(mode === 'stream' && { [attributes.requestStream]: true }),
    ...number(attributes.requestMaxTokens, request['max_tokens']),
    ...number(attributes.requestTemperature, request['temperature']),
    ...number(attributes.requestTopK, request['top_k']),
    ...number(attributes.requestTopP, request['top_p']),
    ...(typeof effort === 'string' && { [attributes.requestReasoning]: effort }),
    ...(isStrings(stops) && { [attributes.requestStopSequences]: [...stops] }),
  }
}

/** Returns the attributes of an answer, as far as it arrived. */
export function responseAttributes(
  message: AssistantMessage | undefined,
  firstChunkMs: number | undefined,
): Attributes {
  const first = firstChunkMs === undefined ? {} : { [attributes.responseFirstChunk]: firstChunkMs / 1000 }
  if (message === undefined) return first
  const { id, model, stop_reason: stopReason, usage } = message
  const { input, output, cacheRead, cacheWrite, reasoning } = tokenCounts(usage)
  return {
    ...first,
    [attributes.responseId]: id,
    [attributes.responseModel]: model,
    ...(stopReason !== null && { [attributes.responseFinishReasons]: [stopReason] }),
    [attributes.usageInput]: input,
    [attributes.usageOutput]: output,
    ...(cacheRead > 0 && { [attributes.usageCacheRead]: cacheRead }),
    ...(cacheWrite > 0 && { [attributes.usageCacheWrite]: cacheWrite }),
    ...(reasoning > 0 && { [attributes.usageReasoning]: reasoning }),
  }
}

function number(name: string, value: unknown): Attributes {
  return typeof value === 'number' ? { [name]: value } : {}
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
