import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { isUnsignedThinking, pendingServerCalls } from '../reduce/history.ts'
import { type ContentBlock, isToolUse } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'

export interface SalvageOptions {
  /** Whether the unfinished text after the last call stays, because nothing can withdraw it. */
  readonly keepPartialText: boolean
}

/**
 * What of a broken attempt can be committed as a turn: everything up to its last whole block, if it holds a call that
 * may be trusted. Undefined where it holds none, or where the API would refuse or misread what is left.
 */
export function salvage(
  blocks: readonly AccumulatedBlock[],
  { keepPartialText }: SalvageOptions,
): readonly AccumulatedBlock[] | undefined {
  const kept = blocks.filter((block, index) => {
    if (block.kind === 'tool_use') return isTrusted(block, blocks[index + 1])
    return block.finished || (block.kind === 'text' && keepPartialText)
  })
  const lastCall = kept.findLastIndex(({ kind }) => kind === 'tool_use')
  if (lastCall === -1) return undefined
  const content = kept.map(({ block }) => block)
  if (content.some(isUnsignedThinking)) return undefined
  if (pendingServerCalls(content).length > 0) return undefined
  if (content.some(isCalledByServer)) return undefined
  // A model that took over may have cut the call off.
  if (content.slice(lastCall).some((block) => block.type === 'fallback')) return undefined
  return kept
}

/**
 * A call has arrived whole when it has stopped with a JSON object. An empty object counts only if another block
 * followed: a call without arguments looks like one that was cut before its first byte.
 */
function isTrusted(block: AccumulatedBlock, next: AccumulatedBlock | undefined): boolean {
  if (!block.finished || !block.validInput || !isToolUse(block.block)) return false
  const { input } = block.block
  return isRecord(input) && (Object.keys(input).length > 0 || next !== undefined)
}

/** A call made by code that runs on the server waits there for its result: nothing can be committed around it. */
function isCalledByServer(block: ContentBlock): boolean {
  const caller = block['caller']
  return block.type === 'tool_use' && isRecord(caller) && caller['type'] !== 'direct'
}
