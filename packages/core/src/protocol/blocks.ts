import type { ContentBlock } from './messages.ts'

/** One content block on its way. */
export interface AccumulatedBlock {
  readonly index: number
  readonly kind: string
  /** Whether its stop event has arrived. */
  readonly finished: boolean
  /** Text of a text block, thinking of a thinking block, raw JSON of a tool input; as far as it has arrived. */
  readonly text: string
  /** The block as history would hold it; of an unfinished tool use the input is left out. */
  readonly block: ContentBlock
  /** Whether the input's raw JSON is an object, or empty. True for blocks without input. */
  readonly validInput: boolean
}
