import { isRecord } from '../kit/guards.ts'
import { type ContentBlock, isContentBlock } from './messages.ts'

/** Gives each call of a conversation an id of its own: some gateways count the calls of each answer from 0. */
export interface CallIds {
  /**
   * Returns the next block of the conversation. A call whose id an earlier call has, or that has none, gets another; the
   * results that follow, and the calls that its code makes, then name that one.
   */
  claim(block: ContentBlock): ContentBlock
}

/** Returns the ids of a conversation that begins with `history`. Equal blocks always get equal ids. */
export function createCallIds(history: Iterable<ContentBlock>): CallIds {
  const taken = new Set<string>()
  /** By the id that the model gave: the calls whose result is still to come, oldest first. */
  const open = new Map<string, string[]>()
  /** By the id that the model gave: the last call that it gave it to. */
  const last = new Map<string, string>()

  function claimCall(block: ContentBlock): ContentBlock {
    const { id: given, caller } = block
    const wanted = typeof given === 'string' && given !== '' ? given : 'toolu_1'
    let id = wanted
    for (let count = 2; taken.has(id); count++) id = `${wanted}_${count}`
    taken.add(id)
    last.set(wanted, id)
    const waiting = open.get(wanted)
    if (waiting === undefined) open.set(wanted, [id])
    else waiting.push(id)
    const by = isRecord(caller) ? caller['tool_id'] : undefined
    const calledBy = typeof by === 'string' ? (last.get(by) ?? by) : undefined
    if (id === given && calledBy === by) return block
    return {
      ...block,
      id,
      ...(calledBy !== undefined && isRecord(caller) && { caller: { ...caller, tool_id: calledBy } }),
    }
  }

  function claimResult(block: ContentBlock, of: string): ContentBlock {
    const id = open.get(of)?.shift() ?? of
    return id === of ? block : { ...block, tool_use_id: id }
  }

  function claim(block: ContentBlock): ContentBlock {
    if (callTypes.has(block.type)) return claimCall(block)
    const { tool_use_id: of } = block
    return typeof of === 'string' ? claimResult(block, of) : block
  }

  for (const block of history) claim(block)
  return { claim }
}

/** Blocks that call a tool, ours or one that Anthropic executes. */
const callTypes = new Set(['tool_use', 'server_tool_use', 'mcp_tool_use'])

export function isCall(block: ContentBlock): boolean {
  return callTypes.has(block.type)
}

/** Returns `messages`, which may be anything, as they can follow `history`: no call has the id of an earlier one. */
export function withOwnCallIds(messages: readonly unknown[], history: Iterable<ContentBlock>): readonly unknown[] {
  const ids = createCallIds(history)
  return messages.map((message) => {
    if (!isRecord(message) || !Array.isArray(message['content'])) return message
    return {
      ...message,
      content: message['content'].map((block) => (isContentBlock(block) ? ids.claim(block) : block)),
    }
  })
}
