import type { FlagContext } from '@millrace/core'
import { aBoolean, checkOptions, type Rule } from '@millrace/core/kit'
import { type FeatureFlag, FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import { hasTargeting } from './compile.ts'
import type { FlagDefinition, FlagDocument } from './document.ts'
import { flagIssue, type FlagIssue } from './issues.ts'
import { inlineReferences } from './inline-references.ts'
import type { TargetingEngine, TargetingResult } from './targeting.ts'

export interface FlagdTargetingOptions {
  /** Avoids `new Function`, which workers forbid. Slower. Default: false. */
  readonly disableDynamicCodeGeneration?: boolean
}

const flagdTargetingRules: Readonly<Record<keyof FlagdTargetingOptions, Rule>> = {
  disableDynamicCodeGeneration: aBoolean,
}

/**
 * Evaluates flagd's `targeting` with the peer `@openfeature/flagd-core`. A `fractional` in a rule buckets users by flagd's
 * hash, which has changed between versions of flagd. A `rollout` never does.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function flagdTargeting(options: FlagdTargetingOptions = {}): TargetingEngine {
  checkOptions(options, '', flagdTargetingRules)
  const { disableDynamicCodeGeneration = false } = options
  return {
    compile(document) {
      const issues: FlagIssue[] = []
      const rules = new Map<string, FeatureFlag>()
      for (const [key, flag] of Object.entries(document.flags)) {
        if (!hasTargeting(flag)) continue
        const report = (severity: FlagIssue['severity'], message: string): void =>
          void issues.push(flagIssue(severity, ['flags', key, 'targeting'], message))
        const rule = compileRule(document, key, flag, { report, disableDynamicCodeGeneration })
        if (rule !== undefined) rules.set(key, rule)
      }
      return { issues, resolve: (key, context) => resolve(rules.get(key), key, context) }
    },
  }
}

const silent = { error() {}, warn() {}, info() {}, debug() {} }

interface RuleOptions extends Required<FlagdTargetingOptions> {
  readonly report: (severity: FlagIssue['severity'], message: string) => void
}

/** Compiles one flag as a document of its own: flagd refuses a whole document for a single flag. */
function compileRule(
  document: FlagDocument,
  key: string,
  flag: FlagDefinition,
  { report, disableDynamicCodeGeneration }: RuleOptions,
): FeatureFlag | undefined {
  const inlined = inlineReferences(flag.targeting ?? {}, document.$evaluators ?? {})
  if (inlined.status === 'error') {
    report('error', inlined.message)
    return undefined
  }
  const { state, variants, defaultVariant = null } = flag
  const text = JSON.stringify({ flags: { [key]: { state, variants, defaultVariant, targeting: inlined.rule } } })
  const core = new FlagdCore(undefined, silent, { disableDynamicCodeGeneration })
  try {
    core.setConfigurations(text)
  } catch {
    report('error', 'is refused by flagd')
    return undefined
  }
  const rule = core.getFlag(key)
  // flagd compiles a rule when it loads it, but reports that it does not compile only when the flag is evaluated.
  if (String(rule?.evaluate({}, silent).errorCode) === 'PARSE_ERROR') {
    report('error', 'has an operator that flagd does not know')
    return undefined
  }
  if (!fitsSchema(text)) report('warning', "does not fit flagd's schema, so it may not do what it says")
  return rule
}

function resolve(rule: FeatureFlag | undefined, key: string, context: FlagContext): TargetingResult {
  if (rule === undefined) return { status: 'error', errorCode: 'PARSE_ERROR', message: `flag "${key}" is invalid` }
  try {
    const { reason, variant } = rule.evaluate(context, silent)
    if (reason === 'DEFAULT') return { status: 'none' }
    if (reason !== 'ERROR' && variant !== undefined) return { status: 'match', variant }
  } catch {
    // Answered below, like the errors that flagd catches itself.
  }
  return { status: 'error', message: `the targeting of flag "${key}" failed, or named no variant of it` }
}

/** flagd's schema is stricter than its parser, which ignores what it does not know. */
function fitsSchema(text: string): boolean {
  try {
    new MemoryStorage(silent).setConfigurations(text, true)
    return true
  } catch {
    return false
  }
}
