import type { FlagContext } from '@millrace/core'
import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import { hasTargeting } from './compile.ts'
import type { FlagDefinition, FlagDocument, JsonValue } from './document.ts'
import { flagIssue, type FlagIssue } from './issues.ts'
import { isRecord } from './json.ts'
import { aBoolean, checkOptions, optional, type OptionRules } from './options.ts'
import type { TargetingEngine, TargetingResult } from './targeting.ts'

export interface FlagdTargetingOptions {
  /** For runtimes that forbid `new Function`, such as workers; slower. Default: false. */
  readonly disableDynamicCodeGeneration?: boolean
}

const flagdTargetingRules: OptionRules<FlagdTargetingOptions> = { disableDynamicCodeGeneration: optional(aBoolean) }

/**
 * Evaluates flagd's `targeting` with `@openfeature/flagd-core`, a peer that must be installed. Users drawn by a `fractional`
 * in such a rule are bucketed by flagd's hash, which has changed between its versions; those of a `rollout` never are.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function flagdTargeting(options: FlagdTargetingOptions = {}): TargetingEngine {
  checkOptions(options, flagdTargetingRules)
  const { disableDynamicCodeGeneration = false } = options
  return {
    compile(document) {
      const issues: FlagIssue[] = []
      // Flag by flag: flagd refuses a whole document for one of them.
      const rules = new Map<string, FlagdCore>()
      for (const [key, flag] of Object.entries(document.flags)) {
        if (!hasTargeting(flag)) continue
        const text = prepare(document, key, flag, issues)
        if (text === undefined) continue
        issues.push(...validate(key, text))
        const core = new FlagdCore(undefined, silent, { disableDynamicCodeGeneration })
        try {
          core.setConfigurations(text)
          rules.set(key, core)
        } catch {
          issues.push(flagIssue('error', ['flags', key, 'targeting'], 'is refused by flagd'))
        }
      }
      return { issues, resolve: (key, context) => resolve(rules.get(key), key, context) }
    },
  }
}

const silent = { error() {}, warn() {}, info() {}, debug() {} }

function resolve(core: FlagdCore | undefined, key: string, context: FlagContext): TargetingResult {
  const flag = core?.getFlag(key)
  if (flag === undefined) return { status: 'error', message: `the targeting of flag ${key} could not be read` }
  try {
    const { reason, variant } = flag.evaluate(context, silent)
    if (reason === 'DEFAULT') return { status: 'none' }
    if (reason === 'ERROR' || variant === undefined) return failed(key)
    return { status: 'match', variant }
  } catch {
    return failed(key)
  }
}

function failed(key: string): TargetingResult {
  return { status: 'error', message: `the targeting of flag ${key} failed, or gave what is no variant` }
}

/**
 * One flag as a document of its own, its `$ref`s put in. flagd would do that by replacing text, which depends on the order of the
 * evaluators where they are nested, and damages a rule that holds `$$`.
 */
function prepare(document: FlagDocument, key: string, flag: FlagDefinition, issues: FlagIssue[]): string | undefined {
  const at = ['flags', key, 'targeting']
  const targeting = inline(flag.targeting ?? {}, document.$evaluators ?? {}, [], (message) => {
    issues.push(flagIssue('error', at, message))
    return undefined
  })
  if (targeting === undefined) return undefined
  const { state, variants, defaultVariant = null } = flag
  return JSON.stringify({ flags: { [key]: { state, variants, defaultVariant, targeting } } })
}

function inline(
  rule: JsonValue,
  evaluators: Readonly<Record<string, JsonValue>>,
  open: readonly string[],
  report: (message: string) => undefined,
): JsonValue | undefined {
  if (Array.isArray(rule)) {
    const members = rule.map((member: JsonValue) => inline(member, evaluators, open, report))
    return members.some((member) => member === undefined) ? undefined : members.map((member) => member ?? null)
  }
  if (!isRecord(rule)) return rule
  const name = rule['$ref']
  if (typeof name === 'string' && Object.keys(rule).length === 1) {
    const evaluator = Object.hasOwn(evaluators, name) ? evaluators[name] : undefined
    if (evaluator === undefined) return report(`refers to "${name}", which is not under "$evaluators"`)
    if (open.includes(name)) return report(`refers to "${name}", which refers to itself`)
    return inline(evaluator, evaluators, [...open, name], report)
  }
  const members: [string, JsonValue][] = []
  for (const [operator, operand] of Object.entries(rule)) {
    const value = inline(operand, evaluators, open, report)
    if (value === undefined) return undefined
    members.push([operator, value])
  }
  return Object.fromEntries(members)
}

/** flagd's own schema says more than its parser, which ignores what it does not know. A warning, as flagd takes it. */
function validate(key: string, text: string): FlagIssue[] {
  try {
    new MemoryStorage(silent).setConfigurations(text, true)
    return []
  } catch {
    return [
      flagIssue(
        'warning',
        ['flags', key, 'targeting'],
        "does not fit flagd's schema for targeting: it may not do what it says",
      ),
    ]
  }
}
