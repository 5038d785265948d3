import { contentBlocks, joinText } from './continuation.ts'
import { isObject } from './json.ts'
import type { Production } from './layout.ts'

/** The text of all assistant messages from `start` on. */
export function assistantText(messages: readonly unknown[], start: number): string {
  return messages
    .slice(start)
    .filter(isObject)
    .map((message) => (message.role === 'assistant' ? joinText(contentBlocks(message)) : ''))
    .join('')
}

/** The text of the assistant messages behind the last user message. */
export function finalText(messages: readonly unknown[]): string {
  const lastUser = messages.findLastIndex((message) => isObject(message) && message.role === 'user')
  return assistantText(messages, lastUser + 1)
}

/** What a text must be made of. */
export interface TextRule {
  /** Whether the final step must end it; otherwise it may break off anywhere. */
  readonly isComplete: boolean
  /** Whether a step may be said again: a model that is asked to go on after an odd stop does so. Default: false. */
  readonly mayRepeat?: boolean
}

/**
 * Whether `shown` is what the model said: of each step of the job at most one wording, in order, from its beginning;
 * never a step twice, and nothing in between. What follows a tool call of a turn may be missing, since a turn that broke
 * there is kept up to the call.
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
      }
    }
    // The step was asked for and left nothing behind.
    return said(from, index + 1)
  }
  return said(0, 0)
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
