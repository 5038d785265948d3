/**
 * Where in a response a fault happens: before the event of this 0-based index is sent, or after this many bytes of the
 * body. In a body without events, `event` means the middle of the body. Default: `{ event: 0 }`.
 */
export type FaultPosition = { readonly event: number } | { readonly byte: number }

/** What goes wrong. */
export interface Fault {
  readonly kind: 'destroy'
  readonly at?: FaultPosition
}

/** Which requests a fault hits. Every condition that is given must hold. */
export interface FaultMatch {
  /** 1-based: one more than the assistant messages in the request. Default: every turn. */
  readonly turn?: number
  /** 1-based: how often the same messages were asked. Default: `all`. */
  readonly attempt?: number | readonly number[] | 'all'
  /** Only streaming (true) or only non-streaming (false) requests. Default: both. */
  readonly stream?: boolean
  /** How many requests are hit. Default: 1, or `forever` where `attempt` is given. */
  readonly times?: number | 'forever'
}

export type FaultRule = Fault & FaultMatch

/** A fault as one short word, such as `destroy@event:7`: used in records and case ids. */
export function describeFault(fault: Fault): string {
  const { at } = fault
  if (at === undefined) return fault.kind
  return `${fault.kind}@${'event' in at ? `event:${at.event}` : `byte:${at.byte}`}`
}
