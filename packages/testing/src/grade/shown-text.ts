import { contentBlocks, joinText } from '../script/continuation.ts'
import { isObject } from '../kit/guards.ts'
import type { Production } from '../layouts/layout.ts'

/** Returns the text of all assistant messages from index `start` on. */
export function assistantText(messages: readonly unknown[], start: number): string {
  return messages
    .slice(start)
    .filter(isObject)
    .map((message) => (message.role === 'assistant' ? joinText(contentBlocks(message)) : ''))
    .join('')
}

/**
 * Returns the texts that a loop may return: of the final message, of the whole answer, which has several messages if it was
 * continued, and of the last message that said anything, for a run that ended behind a tool result.
 */
export function finalTexts(messages: readonly unknown[]): readonly string[] {
  const lastUser = messages.findLastIndex((message) => isObject(message) && message.role === 'user')
  const lastResult = messages.findLastIndex(
    (message) => isObject(message) && contentBlocks(message).some((block) => block.type === 'tool_result'),
  )
  const said = messages.map((_message, index) => assistantText(messages.slice(index, index + 1), 0))
  const lastSaid = said.findLast((text) => text.trim() !== '') ?? ''
  return [assistantText(messages, lastUser + 1), assistantText(messages, lastResult + 1), lastSaid]
}

/** What a text must be made of. */
export interface TextRule {
  /** Whether it must end with the final step. Otherwise it may break off anywhere. */
  readonly isComplete: boolean
  /** Whether a step may repeat, as it does if a model is asked to go on after an odd stop. Default: false. */
  readonly mayRepeat?: boolean
}

/**
 * Whether `shown` is what the model said: at most one wording of each step of the job, in order and from its beginning,
 * with nothing in between. Text behind a tool call may be missing, since a turn that broke there is kept up to the
 * call.
 */
export function isSaid(shown: string, productions: readonly Production[], rule: TextRule): boolean {
  const steps = [...new Set(productions.map(({ step }) => step))]
  const goesOn = (from: number, index: number): boolean =>
    said(from, index + 1) || (rule.mayRepeat === true && said(from, index))
  const said = (from: number, index: number): boolean => {
    const rest = shown.slice(from)
    if (rest === '') return !rule.isComplete
    const step = steps[index]
    if (step === undefined) return false
    for (const production of productions) {
      if (production.step !== step) continue
      for (const text of wordings(production)) {
        if (production.isFinal && rule.isComplete) {
          if (rest === text) return true
        } else if (rest.startsWith(text) && goesOn(from + text.length, index)) return true
        else if (!rule.isComplete && text.startsWith(rest)) return true
        else if (brokenOff(production, rest).some((length) => goesOn(from + length, index))) return true
      }
    }
    // A step may leave no text behind.
    return said(from, index + 1)
  }
  return said(0, 0)
}

/**
 * Returns the lengths at which `rest` may leave the text behind a production's calls. A consumer that cannot retract
 * text keeps it as far as it came.
 */
function brokenOff(production: Production, rest: string): readonly number[] {
  if (production.isFinal || production.leading === production.texts.length) return []
  const leading = production.texts.slice(0, production.leading).join('')
  const whole = production.texts.join('')
  let same = 0
  while (same < whole.length && whole[same] === rest[same]) same++
  return same <= leading.length
    ? []
    : Array.from({ length: same - leading.length }, (_, more) => leading.length + more + 1)
}

function wordings(production: Production): readonly string[] {
  const whole = production.texts.join('')
  if (production.isFinal) return [whole]
  const list: string[] = []
  for (let count = production.leading; count <= production.texts.length; count++) {
    const text = production.texts.slice(0, count).join('')
    if (text !== '') list.push(text)
  }
  return list
}

/** Whether the model's final answer is the end of `text`. */
export function endsWithFinal(text: string, productions: readonly Production[]): boolean {
  return productions.some((production) => production.isFinal && text.endsWith(production.texts.join('')))
}
