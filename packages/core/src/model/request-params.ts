import type Anthropic from '@anthropic-ai/sdk'
import { aCount, anId, refuse, type Rule } from '../kit/checks.ts'
import { refuseHalfPairs } from '../kit/well-formed.ts'

/** Messages API parameters, sent untouched; `messages` and `stream` are ours. */
export type RequestParams =
  | Omit<Anthropic.MessageCreateParamsNonStreaming, 'messages' | 'stream'>
  | Omit<Anthropic.Beta.MessageCreateParamsNonStreaming, 'messages' | 'stream'>

/** Refuses what no turn could send of the request parameters at `path`, of the agent or of a run. */
export function checkParams(request: Readonly<Record<string, unknown>>, path: string): void {
  refuseHalfPairs(request, path)
  if (request['thread'] === undefined) return
  refuse(
    `${path}.thread`,
    'cannot be set: each turn sends the whole conversation, which a thread on the server would then hold twice',
  )
}

/** The parameters that the API needs in every request. */
export const needed: Readonly<Record<'model' | 'max_tokens', Rule>> = {
  model: anId,
  max_tokens: aCount(1),
}
