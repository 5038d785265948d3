import { aCount, aFunction, aListOf, checkOptions, type Rule, rule, withMethods } from '@millrace/core/kit'
import { shortestSecret } from '../redaction/redactor.ts'

const aSink: Rule = withMethods('write')

const rules: Readonly<Record<string, Rule>> = {
  sink: aSink,
  redact: aListOf(rule((value) => typeof value === 'string', 'must be a string')),
  secrets: aListOf(
    rule(
      // A shorter one would be found in words.
      (value) => typeof value === 'string' && value.length >= shortestSecret,
      `must be a string of at least ${shortestSecret} characters`,
    ),
  ),
  maxBodyBytes: aCount(1),
  maxHeldBytes: aCount(1),
  maxOpenRuns: aCount(1),
  onProblem: aFunction,
  recordingId: rule(
    // It is part of a file's name.
    (value) => typeof value === 'string' && /^[\w-]{1,100}$/.test(value),
    'must be 1 to 100 letters, digits, "_" or "-"',
  ),
  clock: withMethods('now'),
}

/** @throws MillraceError `invalid_option` or `unknown_option`, with the option's path */
export function checkRecorderOptions(options: unknown): void {
  const { sink } = checkOptions(options, '', rules)
  aSink(sink, 'sink')
}
