import { contentBlocks, joinText, partialTexts, remainderOf } from './continuation.ts'
import { isObject, isString, type JsonObject } from '../kit/guards.ts'
import type { ContentBlock, Turn } from './turn.ts'

/** The answer to a client tool call, as found in the conversation. */
export interface ToolResult {
  readonly id: string
  /** The name of the tool that was called. */
  readonly name: string
  readonly input: unknown
  /** The text of the result. */
  readonly text: string
  readonly isError: boolean
}

/** A tool that the request offers. */
export interface OfferedTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: unknown
}

/** The request that a script answers, and what can be read off it. */
export interface Conversation {
  /** The request's body. */
  readonly request: JsonObject
  readonly messages: readonly JsonObject[]
  /** The text of the system prompt. Empty without one. */
  readonly system: string
  readonly tools: readonly OfferedTool[]
  readonly stream: boolean
  /** One more than the assistant messages so far. */
  readonly turn: number
  /** How often exactly these messages were asked, this time included. */
  readonly attempt: number
  /** All results of client tools so far, in order. */
  readonly toolResults: readonly ToolResult[]
  /** Returns the results of one tool, in order. */
  resultsOf(name: string): readonly ToolResult[]
  /** The text of the last user message that has any. */
  readonly lastUserText: string
  /**
   * Returns the rest of `turn` if the client kept the beginning of its text as an assistant message and asks to go on
   * from there, in a user message with words such as "continue", "go on", "left off" or "cut off". Otherwise returns
   * `turn`.
   */
  continued(turn: Turn): Turn
}

/** Reads a request that was found valid. */
export function readConversation(request: JsonObject, attempt: number): Conversation {
  const messages = Array.isArray(request.messages) ? request.messages.filter(isObject) : []
  const toolResults = readToolResults(messages)
  const partials = partialTexts(messages)
  return {
    request,
    messages,
    system: systemText(request.system),
    tools: readTools(request.tools),
    stream: request.stream === true,
    turn: 1 + messages.filter((message) => message.role === 'assistant').length,
    attempt,
    toolResults,
    resultsOf: (name) => toolResults.filter((result) => result.name === name),
    lastUserText: lastUserText(messages),
    continued(turn) {
      if (turn.quirks?.some(({ kind }) => kind === 'start-over') === true) return turn
      for (const partial of partials) {
        const rest = remainderOf(turn, partial)
        if (rest !== undefined) return rest
      }
      return turn
    },
  }
}

function systemText(system: unknown): string {
  if (isString(system)) return system
  if (!Array.isArray(system)) return ''
  return system.map((block) => (isObject(block) && isString(block.text) ? block.text : '')).join('\n')
}

function readTools(tools: unknown): readonly OfferedTool[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(isObject).flatMap((tool) => {
    const { name, description } = tool
    if (!isString(name)) return []
    return [{ name, description: isString(description) ? description : '', inputSchema: tool.input_schema }]
  })
}

function readToolResults(messages: readonly JsonObject[]): readonly ToolResult[] {
  const calls = new Map<unknown, ContentBlock>()
  const results: ToolResult[] = []
  for (const block of messages.flatMap((message) => contentBlocks(message))) {
    if (block.type === 'tool_use') calls.set(block.id, block)
    const call = block.type === 'tool_result' ? calls.get(block.tool_use_id) : undefined
    if (call === undefined || !isString(call.name) || !isString(call.id)) continue
    results.push({
      id: call.id,
      name: call.name,
      input: call.input,
      text: joinText(contentBlocks(block)),
      isError: block.is_error === true,
    })
  }
  return results
}

function lastUserText(messages: readonly JsonObject[]): string {
  for (const message of messages.toReversed()) {
    const text = message.role === 'user' ? joinText(contentBlocks(message)) : ''
    if (text !== '') return text
  }
  return ''
}
