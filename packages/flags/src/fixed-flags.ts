import { anId, checkOptions, type Rule } from '@millrace/core/kit'
import type { FlagDocument } from './document.ts'
import { FlagFormatError } from './errors.ts'
import { backgroundClock } from './background-clock.ts'
import { createFlagHolder } from './flag-holder.ts'
import { formatIssues, hasErrors } from './issues.ts'
import { readFlagDocument } from './read-document.ts'
import type { LocalFlagSource } from './source.ts'
import { aTargetingEngine, type TargetingEngine } from './targeting.ts'

export interface FixedFlagsOptions {
  /** Shown in descriptions. Default: `fixed`. */
  readonly name?: string
  /** Evaluates flagd's `targeting`. Default: none, and flags with `targeting` evaluate to an error. */
  readonly targeting?: TargetingEngine
}

const fixedFlagsRules: Readonly<Record<keyof FixedFlagsOptions, Rule>> = {
  name: anId,
  targeting: aTargetingEngine,
}

/**
 * Makes a source of flags in code, for tests, overrides and small programs. It never changes and is ready at once.
 *
 * A flag whose `targeting` cannot be evaluated is an error of that flag alone, reported in `describe().problem`.
 *
 * @throws FlagFormatError if anything else in the document is invalid
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function fixedFlags(document: FlagDocument, options: FixedFlagsOptions = {}): LocalFlagSource {
  checkOptions(options, '', fixedFlagsRules)
  const { name = 'fixed', targeting } = options
  const read = readFlagDocument(document)
  if (read.status === 'refused' || hasErrors(read.issues)) throw refusal(name, read.issues)
  const holder = createFlagHolder({
    name,
    clock: backgroundClock,
    maxAge: Infinity,
    ...(targeting !== undefined && { targeting }),
  })
  const problem = holder.accept(read)
  if (problem !== undefined) throw refusal(name, problem.issues)
  return holder.source
}

function refusal(name: string, issues: FlagFormatError['issues']): FlagFormatError {
  return new FlagFormatError(`flag source "${name}": ${formatIssues(issues)}`, issues)
}
