import type Anthropic from '@anthropic-ai/sdk'
import { aCount, anId, refuse, type Rule } from '../kit/checks.ts'
import { isRecord } from '../kit/guards.ts'
import { refuseHalfPairs } from '../kit/well-formed.ts'

/** Messages API parameters, sent untouched; `messages` and `stream` are ours. */
export type RequestParams =
  | Omit<Anthropic.MessageCreateParamsNonStreaming, 'messages' | 'stream'>
  | Omit<Anthropic.Beta.MessageCreateParamsNonStreaming, 'messages' | 'stream'>

/** Refuses what no turn could send of the request parameters at `path`, of the agent or of a run, and what is `ours`. */
export function checkParams(
  request: unknown,
  path: string,
  ours: readonly string[],
): asserts request is Readonly<Record<string, unknown>> {
  if (!isRecord(request)) refuse(path, 'must be an object of Messages API parameters')
  for (const name of ours)
    if (name in request) refuse(`${path}.${name}`, 'is set for each turn, and cannot be given here')
  refuseHalfPairs(request, path)
  if (request['thread'] === undefined) return
  refuse(`${path}.thread`, 'cannot be set: each turn sends the whole conversation')
}

/** The parameters that the API needs in every request. */
export const needed: Readonly<Record<'model' | 'max_tokens', Rule>> = {
  model: anId,
  max_tokens: aCount(1),
}
