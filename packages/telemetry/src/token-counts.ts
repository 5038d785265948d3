import type { Usage } from '@millrace/core'
import type { TokenCounts } from './observation.ts'
import { isRecord } from '@millrace/core/kit'

/** Converts the API's usage to the conventions, in which cached input tokens are part of the input tokens. */
export function tokenCounts(usage: Usage | undefined): TokenCounts {
  const cacheRead = count(usage?.['cache_read_input_tokens'])
  const cacheWrite = count(usage?.['cache_creation_input_tokens'])
  const details = usage?.['output_tokens_details']
  return {
    input: count(usage?.input_tokens) + cacheRead + cacheWrite,
    output: count(usage?.output_tokens),
    cacheRead,
    cacheWrite,
    reasoning: isRecord(details) ? count(details['thinking_tokens']) : 0,
  }
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}
