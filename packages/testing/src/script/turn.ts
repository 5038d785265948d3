import type { Chunking } from '../stream/chunking.ts'
import type { Quirk } from '../faults/fault.ts'
import { sign } from './signature.ts'

/**
 * One content block as a non-streaming answer holds it. `type` may be one that the API does not have. The server fills
 * in what is left out: the `id` of a call (fresh in each request), the `signature` of a `thinking` block, the `data` of
 * a `redacted_thinking` block, and `citations: null` of a `text` block. The `text` of a text block may be an iterable
 * of strings, for answers too large to hold: see `largeText`.
 */
export interface ContentBlock {
  readonly type: string
  readonly [field: string]: unknown
}

/**
 * How fast an answer is sent: `fast` (default), tokens of 4 characters a second, or a delay in milliseconds before each
 * event. A non-streaming answer waits as long as its stream would have taken.
 */
export type Pace = 'fast' | { readonly tokensPerSecond: number } | { readonly eventDelay: number }

/** One answer of the scripted model. */
export interface Turn {
  /** The blocks of the answer, in order. */
  readonly content: readonly ContentBlock[]
  /** Default: `tool_use` if the content has a `tool_use` block, else `end_turn`. */
  readonly stopReason?: string
  readonly stopSequence?: string
  readonly stopDetails?: { readonly [field: string]: unknown }
  /** Fields of the usage. The server estimates the others from the content. */
  readonly usage?: { readonly [field: string]: unknown }
  readonly container?: { readonly [field: string]: unknown }
  /** Default: the server's `pace`. */
  readonly pace?: Pace
  /** Default: the server's `chunking`. */
  readonly chunking?: Chunking
  /**
   * What is odd about this answer each time it is given, such as `{ kind: 'prefilled-start' }`. Applied in this order,
   * before the server's faults.
   */
  readonly quirks?: readonly Quirk[]
}

/** Returns a text block. */
export function text(value: string | Iterable<string>, citations?: readonly unknown[]): ContentBlock {
  return { type: 'text', text: value, citations: citations ?? null }
}

/** Returns a signed thinking block. */
export function thinking(value: string): ContentBlock {
  return { type: 'thinking', thinking: value, signature: sign(value) }
}

/** Returns a call of a client tool. The server gives it an id unless `fields` has one. */
export function toolUse(
  name: string,
  input: { readonly [field: string]: unknown } = {},
  fields: { readonly [field: string]: unknown } = {},
): ContentBlock {
  return { type: 'tool_use', name, input, ...fields }
}

/**
 * Returns a text of `bytes` ASCII characters that is generated piece by piece and never held, for answers of any size.
 *
 * @param options `bytes`: its length; `pieceBytes`: the length of one piece (default: 16384)
 */
export function largeText(options: { bytes: number; pieceBytes?: number }): Iterable<string> {
  const { bytes, pieceBytes = 16_384 } = options
  const piece = 'All work and no play makes a long text. '.repeat(Math.ceil(pieceBytes / 40)).slice(0, pieceBytes)
  return {
    *[Symbol.iterator]() {
      for (let left = bytes; left > 0; left -= piece.length) yield left >= piece.length ? piece : piece.slice(0, left)
    },
  }
}
