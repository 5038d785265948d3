import { createContext, Script } from 'node:vm'
import { ToolError } from '@millrace/core'
import { errorCode } from './file-error.ts'

/** A line that matches. */
export interface LineMatch {
  readonly line: number
  readonly text: string
}

export interface LineMatcher {
  /** The lines of `text` that match, at most `max`. @throws ToolError where the pattern takes too long */
  matches(text: string, max: number): LineMatch[]
}

/** Milliseconds that a pattern may take for one file: a pattern that backtracks would hold up the whole process. */
const patternTime = 1000
/** A longer line is shown to here. */
const maxLine = 300

/**
 * Run in a context of its own for the sake of its time limit, which is the only way to stop a regular expression. It is
 * no border of trust: only this text runs there, and the pattern is data to it.
 */
const script = new Script(`(() => {
  const found = []
  const re = new RegExp(pattern, flags)
  let line = 0
  for (let at = 0; at < text.length && found.length < max; ) {
    const next = text.indexOf('\\n', at)
    const end = next === -1 ? text.length : next
    const one = text.slice(at, text[end - 1] === '\\r' ? end - 1 : end)
    line += 1
    if (re.test(one)) found.push(line, one.slice(0, ${maxLine}))
    at = end + 1
  }
  return found
})()`)

export function literalPattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
}

/** @throws ToolError where `pattern` is no regular expression */
export function lineMatcher(pattern: string, ignoreCase: boolean): LineMatcher {
  const flags = ignoreCase ? 'iu' : 'u'
  try {
    RegExp(pattern, flags)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw new ToolError(
      `The pattern is no regular expression of JavaScript: ${why}. Use literal: true to find it as it stands.`,
      { cause },
    )
  }
  const context = createContext({ pattern, flags, text: '', max: 0 })
  return {
    matches(text, max) {
      Object.assign(context, { text, max: max * 2 })
      let found: unknown
      try {
        found = script.runInContext(context, { timeout: patternTime })
      } catch (cause) {
        if (errorCode(cause) !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause
        throw new ToolError('The pattern takes too long: make it simpler, or use literal: true.', { cause })
      }
      if (!Array.isArray(found)) return []
      return Array.from({ length: found.length / 2 }, (_, index) => ({
        line: Number(found[index * 2]),
        text: String(found[index * 2 + 1]),
      }))
    },
  }
}
