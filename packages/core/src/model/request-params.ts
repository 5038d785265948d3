import type Anthropic from '@anthropic-ai/sdk'
import { aCount, anId, type Rule } from '../kit/checks.ts'

/** Messages API parameters, sent untouched; `messages` and `stream` are ours. */
export type RequestParams =
  | Omit<Anthropic.MessageCreateParamsNonStreaming, 'messages' | 'stream'>
  | Omit<Anthropic.Beta.MessageCreateParamsNonStreaming, 'messages' | 'stream'>

/** The parameters that the API needs in every request. */
export const needed: Readonly<Record<'model' | 'max_tokens', Rule>> = {
  model: anId,
  max_tokens: aCount(1),
}
