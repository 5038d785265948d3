import type Anthropic from '@anthropic-ai/sdk'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { KnownContentBlockType, KnownDeltaType, KnownStopReason } from '../../src/index.ts'
import { contentBlockTypes, deltaTypes, stopReasons } from '../../src/protocol/known-types.ts'

/** What the SDK says an answer may hold, on both of its surfaces. */
type SdkBlock = Anthropic.ContentBlock | Anthropic.Beta.BetaContentBlock
type SdkDelta = Anthropic.RawContentBlockDelta | Anthropic.Beta.BetaRawContentBlockDelta
type SdkStopReason = Anthropic.StopReason | Anthropic.Beta.BetaStopReason
type SdkEvent = Anthropic.RawMessageStreamEvent | Anthropic.Beta.BetaRawMessageStreamEvent

describe('what a newer SDK may bring is noticed', () => {
  it('names every content block of the SDK, and no other', () => {
    expectTypeOf<SdkBlock['type']>().toEqualTypeOf<KnownContentBlockType>()
  })

  it('names every delta of the SDK, and no other', () => {
    expectTypeOf<SdkDelta['type']>().toEqualTypeOf<KnownDeltaType>()
  })

  it('names every stop reason of the SDK, and no other', () => {
    expectTypeOf<SdkStopReason>().toEqualTypeOf<KnownStopReason>()
  })

  it('handles every stream event of the SDK, and no other', () => {
    expectTypeOf<SdkEvent['type']>().toEqualTypeOf<
      | 'content_block_delta'
      | 'content_block_start'
      | 'content_block_stop'
      | 'message_delta'
      | 'message_start'
      | 'message_stop'
    >()
  })

  it('starts a stream with the same blocks that an answer holds', () => {
    type Started =
      | Anthropic.RawContentBlockStartEvent['content_block']
      | Anthropic.Beta.BetaRawContentBlockStartEvent['content_block']
    expectTypeOf<Started['type']>().toEqualTypeOf<KnownContentBlockType>()
  })

  it.each([
    ['contentBlockTypes', contentBlockTypes],
    ['deltaTypes', deltaTypes],
    ['stopReasons', stopReasons],
  ])('%s lists each once, in order', (_name, list) => {
    expect([...list]).toEqual([...new Set<string>(list)].sort())
  })
})
