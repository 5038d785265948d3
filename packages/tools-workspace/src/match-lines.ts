import { createContext, Script } from 'node:vm'
import { ToolError } from '@millrace/core'
import { errorCode } from './file-error.ts'

/** A line that matches. */
export interface LineMatch {
  readonly line: number
  readonly text: string
}

export interface LineMatcher {
  /** Returns the lines of `text` that match, at most `max`. @throws ToolError if the pattern takes too long */
  matches(text: string, max: number): LineMatch[]
}

/** The longest that a pattern may take for one file, in milliseconds: a pattern that backtracks would block the process. */
const patternTime = 1000
/** Longer lines are cut, in UTF-16 code units. */
const maxLine = 300

/**
 * Runs in its own context because a time limit on that is the only way to stop a regular expression. The context is not a
 * security boundary: only this script runs there, and the pattern is data.
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

/** @throws ToolError if `pattern` is not a regular expression */
export function lineMatcher(pattern: string, ignoreCase: boolean): LineMatcher {
  const flags = ignoreCase ? 'iu' : 'u'
  try {
    RegExp(pattern, flags)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw new ToolError(
      `The pattern is not a valid JavaScript regular expression: ${why}. Use literal: true to search for it as plain text.`,
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
