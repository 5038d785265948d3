import type { Expected, FaultCase } from '@millrace/testing'
import { type Arrived, arrivedBefore } from '@millrace/faults'
import { type Variant, variants } from './variants.ts'

/** Why a case does not complete. */
const reasons = {
  request: 'the API says that the request itself is at fault: asking again would be answered the same',
  everywhere: 'every request of this turn meets the fault, streaming or not',
  mcp: 'an MCP call with effects was under way: nobody can say whether it happened, and asking again could repeat it',
  tokens: 'the model ran out of tokens: an outcome of its own, and no tool of a cut turn is run',
  refusal: 'the model declined, and is not asked again',
  nothing: 'an API that says twice that the model is done, without a block or a token, has nothing else to say',
} as const

/** One line of the table: these cases do not complete. What no line names does; the first line that fits counts. */
interface Line {
  /** Of the fault's name, without its position. */
  readonly fault: RegExp
  /** How often it strikes. Absent: however often. */
  readonly often?: readonly FaultCase['frequency'][]
  /** For whom. Absent: for all. */
  readonly of?: readonly Variant[]
  /** What must have arrived, or must not have, when it strikes. Absent: whatever has. */
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

const always = ['once', 'twice', 'every-stream', 'every-request'] as const
const withoutLegacy: readonly Variant[] = ['events', 'callbacks']

/** The expected outcome of every case of the matrix. */
export const table: readonly Line[] = [
  { fault: /^stop-reason,stopReason=(max_tokens|model_context_window_exceeded)$/, outcome: 'limit', reason: 'tokens' },
  { fault: /^stop-reason,stopReason=refusal$/, outcome: 'refused', reason: 'refusal' },
  {
    fault: /^empty-answer$/,
    of: withoutLegacy,
    often: ['twice', 'every-request'],
    outcome: 'failed',
    reason: 'nothing',
  },
  { fault: breaksStream, when: ({ mcp }) => mcp === 'open', outcome: 'failed', reason: 'mcp' },
  // Not even the legacy loop may ask again what an MCP call has been part of.
  {
    fault: atFault,
    when: ({ mcp, call }) => mcp === 'done' && !call,
    outcome: 'failed',
    reason: 'mcp',
  },
  { fault: atFault, of: withoutLegacy, often: always, when: ({ call }) => !call, outcome: 'failed', reason: 'request' },
  // The legacy loop meets the fault as well; where shown text stays, it asks for the rest of a turn, which is another.
  {
    fault: atFault,
    of: ['legacy'],
    often: ['twice', 'every-request'],
    when: ({ call }) => !call,
    outcome: 'failed',
    reason: 'request',
  },
  {
    fault: atFault,
    of: ['legacy-callbacks'],
    often: ['twice', 'every-request'],
    when: ({ call, kept }) => !call && !kept,
    outcome: 'failed',
    reason: 'request',
  },
  {
    fault: breaksAll,
    of: ['events', 'legacy'],
    often: ['every-request'],
    when: ({ call, mcp }) => !call && mcp === 'none',
    outcome: 'failed',
    reason: 'everywhere',
  },
  {
    fault: breaksAll,
    of: ['callbacks'],
    often: ['every-request'],
    when: ({ call, text, mcp }) => !call && !text && mcp === 'none',
    outcome: 'failed',
    reason: 'everywhere',
  },
  {
    fault: breaksAll,
    of: ['legacy-callbacks'],
    often: ['every-request'],
    when: ({ call, kept, mcp }) => !call && !kept && mcp === 'none',
    outcome: 'failed',
    reason: 'everywhere',
  },
]

/** The lookup of a variant's expected outcomes. */
export function expectedOf(variant: Variant): (faultCase: FaultCase) => Expected {
  return (faultCase) => {
    const [, , name = ''] = faultCase.id.split('/')
    const fault = name.replace(/@.*$/, '')
    const arrived = arrivedBefore(faultCase)
    if (arrived.whole) return 'completed'
    const line = table.find(
      (each) =>
        each.fault.test(fault) &&
        (each.often ?? always).some((often) => often === faultCase.frequency) &&
        (each.of ?? Object.keys(variants)).includes(variant) &&
        (each.when === undefined || each.when(arrived)),
    )
    return line === undefined ? 'completed' : { outcome: line.outcome, reason: reasons[line.reason] }
  }
}
