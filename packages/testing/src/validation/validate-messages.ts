import { type Group, type PlacedBlock, readHistory } from './history.ts'
import { isString } from '../kit/guards.ts'
import { type MessageProblem, problem } from './message-problem.ts'
import { isRedactedData, isSigned } from '../script/signature.ts'
import type { ContentBlock } from '../script/turn.ts'
import { callerId, toolPairProblem } from './tool-pairs.ts'

/** What `validateMessages` cannot know from the messages alone. */
export interface ValidateMessagesOptions {
  /** Whether this thinking signature is intact. Default: whether a scripted server signed that text. */
  readonly isSigned?: (thinking: string, signature: string) => boolean
  /** Whether this redacted thinking is intact. Default: whether a scripted server made it. */
  readonly isRedactedData?: (data: string) => boolean
  /**
   * Whether an assistant turn that ends in this block was paused by the server, so that it may be the last message.
   * Default: a pending server or MCP tool use, or a compaction.
   */
  readonly isPaused?: (lastBlock: ContentBlock) => boolean
}

const assistantOnly: readonly string[] = [
  'tool_use',
  'thinking',
  'redacted_thinking',
  'server_tool_use',
  'mcp_tool_use',
  'mcp_tool_result',
  'compaction',
]

/**
 * Returns the first reason for which the Messages API would refuse these messages at the start of a request, or
 * undefined.
 *
 * Checks roles, content that is not empty, a result for every `tool_use` first in the next user message, no unknown or
 * repeated results, thinking that is intact and never last, server tools with their results, and that there is no
 * prefill. Consecutive messages of one role count as one. Never throws, whatever it is given.
 */
export function validateMessages(messages: unknown, options: ValidateMessagesOptions = {}): MessageProblem | undefined {
  const history = readHistory(messages)
  if ('problem' in history) return history.problem
  const { groups } = history
  for (const group of groups) {
    const found = group.role === 'assistant' ? assistantProblem(group, options) : userProblem(group)
    if (found !== undefined) return found
  }
  return toolPairProblem(groups) ?? serverToolProblem(groups) ?? prefillProblem(groups, options)
}

function userProblem(group: Group): MessageProblem | undefined {
  for (const block of group.blocks) {
    if (assistantOnly.includes(block.type)) {
      return problem(block.path, `\`${block.type}\` blocks can only be in \`assistant\` messages`)
    }
    if (group.role === 'system' && block.type !== 'text') {
      return problem(block.path, '`system` messages can only have `text` blocks')
    }
  }
  return undefined
}

function assistantProblem(group: Group, options: ValidateMessagesOptions): MessageProblem | undefined {
  for (const block of group.blocks) {
    if (block.type === 'tool_result') {
      return problem(block.path, '`tool_result` blocks can only be in `user` messages')
    }
    const found = thinkingProblem(block, options)
    if (found !== undefined) return found
  }
  const last = group.blocks.at(-1)
  if (last?.type === 'thinking' || last?.type === 'redacted_thinking') {
    return problem(last.path, 'The final block in an assistant message cannot be `thinking`.')
  }
  return undefined
}

function thinkingProblem(block: PlacedBlock, options: ValidateMessagesOptions): MessageProblem | undefined {
  if (block.type === 'thinking') {
    const { thinking, signature } = block.fields
    if (!isString(thinking)) return problem(`${block.path}.thinking.thinking`, 'Field required')
    if (!isString(signature) || signature === '') return problem(`${block.path}.thinking.signature`, 'Field required')
    const intact = options.isSigned ?? isSigned
    if (!intact(thinking, signature)) return problem(block.path, 'Invalid `signature` in `thinking` block')
  }
  if (block.type === 'redacted_thinking') {
    const { data } = block.fields
    const intact = options.isRedactedData ?? isRedactedData
    if (!isString(data) || !intact(data)) return problem(block.path, 'Invalid `data` in `redacted_thinking` block')
  }
  return undefined
}

function isServerCall(block: PlacedBlock): boolean {
  return block.type === 'server_tool_use' || block.type === 'mcp_tool_use'
}

/**
 * Checks that every server and MCP tool use has its result, unless its code waits for the client or the last turn is
 * paused.
 */
function serverToolProblem(groups: readonly Group[]): MessageProblem | undefined {
  const everCalled = new Set<unknown>()
  for (const [position, group] of groups.entries()) {
    if (group.role !== 'assistant') continue
    const isLast = position === groups.length - 1
    const pending = new Map<unknown, PlacedBlock>()
    for (const block of group.blocks) {
      if (isServerCall(block)) {
        pending.set(block.fields.id, block)
        everCalled.add(block.fields.id)
      } else if (isString(block.fields.tool_use_id)) {
        if (!everCalled.has(block.fields.tool_use_id)) {
          return problem(
            block.path,
            `unexpected \`tool_use_id\` found in \`${block.type}\` blocks: ${block.fields.tool_use_id}`,
          )
        }
        pending.delete(block.fields.tool_use_id)
      }
    }
    for (const call of group.blocks) if (call.type === 'tool_use') pending.delete(callerId(call))
    const [unanswered] = pending.values()
    if (unanswered !== undefined && !isLast) {
      return problem(
        unanswered.path,
        `\`${unanswered.type}\` tool use with id \`${String(unanswered.fields.id)}\` was found without a corresponding result block`,
      )
    }
  }
  return undefined
}

function prefillProblem(groups: readonly Group[], options: ValidateMessagesOptions): MessageProblem | undefined {
  const group = groups.at(-1)
  const last = group?.blocks.at(-1)
  if (group?.role !== 'assistant' || last === undefined) return undefined
  const { isPaused = pausesByItself } = options
  if (isPaused({ ...last.fields, type: last.type })) return undefined
  return problem(
    `messages.${group.index}`,
    'This model does not support assistant message prefill. The conversation must end with a user message.',
  )
}

function pausesByItself(lastBlock: ContentBlock): boolean {
  return ['server_tool_use', 'mcp_tool_use', 'compaction'].includes(lastBlock.type)
}
