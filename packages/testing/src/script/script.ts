import { checkQuirks } from '../faults/check-fault-plan.ts'
import { contentBlocks, isGoOn, joinText } from './continuation.ts'
import type { Conversation } from './conversation.ts'
import { invalidOption } from '../kit/errors.ts'
import { isIterable, isObject, isString } from '../kit/guards.ts'
import type { Turn } from './turn.ts'

/**
 * What the scripted model answers: a list of turns, or a function of the conversation.
 *
 * From a list, the conversation itself picks the turn: the first for a conversation without an assistant message, the
 * second after one, and so on, so that a repeated request gets the same turn again. An assistant message that is the
 * beginning of its turn's text (or all of it), followed by a request to go on, gets the rest of that turn, which may be
 * empty.
 */
export type Script = readonly Turn[] | ((conversation: Conversation) => Turn | Promise<Turn>)

/** A list has no turn for this conversation. The message is for the author of the script. */
class ScriptEndError extends Error {
  override readonly name = 'ScriptEndError'
}

/** Returns the turn of a script for this conversation. Rejects with what a function script throws. */
export async function pickTurn(script: Script, conversation: Conversation): Promise<Turn> {
  if (typeof script === 'function') return await script(conversation)
  const position = listPosition(script, conversation)
  const turn = script[position]
  if (turn === undefined) {
    throw new ScriptEndError(
      `this conversation asks for turn ${position + 1}, and the script has only ${script.length}`,
    )
  }
  return conversation.continued(turn)
}

function listPosition(script: readonly Turn[], conversation: Conversation): number {
  const { messages } = conversation
  let position = 0
  let said = ''
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'assistant') continue
    said += joinText(contentBlocks(message))
    const turn = script[position]
    const isPartial = turn !== undefined && isGoOn(messages[index + 1]) && isBeginning(said, joinText(turn.content))
    if (isPartial) continue
    position++
    said = ''
  }
  return position
}

function isBeginning(said: string, whole: string): boolean {
  return said !== '' && whole.startsWith(said)
}

/** Throws `invalid_option`, with the place, unless `script` is a function or a list of turns. */
export function checkScript(script: unknown, path: string): void {
  if (typeof script === 'function') return
  if (!Array.isArray(script)) throw invalidOption(path, 'must be a list of turns or a function')
  for (const [index, turn] of script.entries()) checkTurn(turn, `${path}[${index}]`)
}

/** Throws `invalid_option`, with the place, unless `turn` is a turn. */
export function checkTurn(turn: unknown, path: string): void {
  if (!isObject(turn)) throw invalidOption(path, 'must be a turn: { content: [...] }')
  const { content, quirks } = turn
  if (quirks !== undefined) checkQuirks(quirks, `${path}.quirks`)
  if (!Array.isArray(content)) throw invalidOption(`${path}.content`, 'must be a list of content blocks')
  for (const [index, block] of content.entries()) {
    const blockPath = `${path}.content[${index}]`
    if (!isObject(block) || !isString(block.type)) throw invalidOption(blockPath, 'must be a content block with a type')
    if (block.type === 'text' && !isString(block.text) && !isIterable(block.text)) {
      throw invalidOption(`${blockPath}.text`, 'must be a string or an iterable of strings')
    }
    if (block.type === 'tool_use' && !isString(block.name)) throw invalidOption(`${blockPath}.name`, 'must be a string')
  }
}
