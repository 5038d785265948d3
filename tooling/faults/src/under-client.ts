import { type Arrived, arrivedBefore } from './milestones.ts'
import type { Expected, FaultCase } from '@millrace/testing'

/** Why a case does not complete. */
const reasons = {
  request: 'the API says that the request itself is at fault: asking again would be answered the same',
  everywhere: 'every request of this turn meets the fault, streaming or not',
  empty: 'the model answers twice with nothing at all: it has nothing to say',
  mcp: 'an MCP call with effects was under way: nobody can say whether it happened, and asking again could repeat it',
  tokens: 'the model ran out of tokens: an outcome of its own, and no tool of a cut turn is run',
  refusal: 'the model declined, and is not asked again',
} as const

interface Line {
  readonly fault: RegExp
  readonly often?: readonly FaultCase['frequency'][]
  readonly when?: (arrived: Arrived) => boolean
  readonly outcome: 'failed' | 'limit' | 'refused'
  readonly reason: keyof typeof reasons
}

const atFault =
  /^(status,status=(400|401|402|403|404|413)|error-event,errorType=((invalid_request|authentication|billing|permission|not_found)_error|request_too_large))$/

/** Faults that end an answer, streaming or not. */
const breaksAll =
  /^(status,|error-event,|destroy|reset|end|break-chunk|gzip-cut|stall|no-headers|refused|html|tool-use-without-tool|stop-reason,stopReason=tool_use)/

const breaksStream =
  /^(error-event,|destroy|reset|end|break-chunk|gzip-cut|stall|garbage-line|second-message-start|replay)/

/** The cases that do not complete. What no line names does; the first line that fits counts. */
const table: readonly Line[] = [
  { fault: /^stop-reason,stopReason=(max_tokens|model_context_window_exceeded)$/, outcome: 'limit', reason: 'tokens' },
  { fault: /^stop-reason,stopReason=refusal$/, outcome: 'refused', reason: 'refusal' },
  { fault: breaksStream, when: ({ mcp }) => mcp === 'open', outcome: 'failed', reason: 'mcp' },
  { fault: atFault, when: ({ call }) => !call, outcome: 'failed', reason: 'request' },
  { fault: /^empty-answer/, often: ['twice', 'every-request'], outcome: 'failed', reason: 'empty' },
  {
    fault: breaksAll,
    often: ['every-request'],
    when: ({ call, text, mcp }) => !call && !text && mcp === 'none',
    outcome: 'failed',
    reason: 'everywhere',
  },
]

/** Returns how a case ends under `createFetch`. */
export function expectedEnd(faultCase: FaultCase): Expected {
  const [, , name = ''] = faultCase.id.split('/')
  const fault = name.replace(/@.*$/, '')
  const arrived = arrivedBefore(faultCase)
  if (arrived.whole) return 'completed'
  const line = table.find(
    (each) =>
      each.fault.test(fault) &&
      (each.often === undefined || each.often.some((often) => often === faultCase.frequency)) &&
      (each.when === undefined || each.when(arrived)),
  )
  return line === undefined ? 'completed' : { outcome: line.outcome, reason: reasons[line.reason] }
}
