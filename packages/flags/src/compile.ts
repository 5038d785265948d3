import { type FlagContext, flagKeys } from '@millrace/core'
import { checkOptions, type Rule, withMethods } from '@millrace/core/kit'
import { bucketOf, bucketsIn } from './bucket.ts'
import { describeFlag } from './describe-flag.ts'
import type { FlagDefinition, FlagDocument, FlagMetadata, JsonValue } from './document.ts'
import { type FlagIssue, flagIssue } from './issues.ts'
import { rolloutVariant } from './read-flag.ts'
import { compileSegment, type SegmentTest } from './segments.ts'
import type { FlagDescription, FlagErrorCode, FlagReason, FlagResolution } from './source.ts'
import { aTargetingEngine, type CompiledTargeting, type TargetingEngine } from './targeting.ts'

/** A document, ready to be evaluated. Immutable. */
export interface FlagSet {
  readonly document: FlagDocument
  /** Issues that only show when the document is prepared: about `targeting`. */
  readonly issues: readonly FlagIssue[]
  /** The keys of flags that are invalid. They evaluate to an error, and an invalid kill switch counts as on. */
  readonly invalid: ReadonlySet<string>
  /**
   * Evaluates a flag, in about a microsecond if it has no `targeting`. Never throws. A tool without a flag of its own is
   * answered by `use_streaming.tool.*` if the document has that.
   */
  resolve(key: string, context?: FlagContext): FlagResolution
  /** Returns the key in the document that answers for `key`, if any. */
  keyFor(key: string): string | undefined
  describe(): readonly FlagDescription[]
}

export interface CompileOptions {
  /** Evaluates flags that have `targeting`. Default: none, and such flags evaluate to an error. */
  readonly targeting?: TargetingEngine
  /** The flags that `readFlagDocument` found invalid, by key. Default: none. */
  readonly invalid?: ReadonlyMap<string, unknown>
}

type Evaluate = (context: FlagContext) => FlagResolution

const toolPrefix = flagKeys.tool('')
const everyTool = flagKeys.tool('*')
const noContext: FlagContext = {}
const compileRules: Readonly<Record<keyof CompileOptions, Rule>> = {
  targeting: aTargetingEngine,
  invalid: withMethods('has', 'keys'),
}

/**
 * Prepares `document`, which was read by `readFlagDocument`, for evaluation.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function compileFlags(document: FlagDocument, options: CompileOptions = {}): FlagSet {
  checkOptions(options, '', compileRules)
  const targeting = options.targeting === undefined ? undefined : compileTargeting(options.targeting, document)
  const segments = new Map(
    Object.entries(document.$segments ?? {}).map(([name, segment]) => [name, compileSegment(segment)] as const),
  )
  const flags = new Map<string, Evaluate>()
  for (const [key, flag] of Object.entries(document.flags)) {
    flags.set(key, compileFlag(key, flag, { segments, targeting, metadata: document.metadata }))
  }
  const invalid = new Map<string, string>()
  for (const key of options.invalid?.keys() ?? []) invalid.set(key, 'is invalid')
  for (const [key, message] of findBroken(document, targeting?.issues ?? [])) invalid.set(key, message)
  for (const [key, what] of invalid) flags.set(key, always(failed(key, 'PARSE_ERROR', what)))
  const kill = flags.get(flagKeys.kill)
  if (kill !== undefined) flags.set(flagKeys.kill, failClosed(kill))
  const keyFor = (key: string): string | undefined => {
    if (flags.has(key)) return key
    return key.startsWith(toolPrefix) && flags.has(everyTool) ? everyTool : undefined
  }
  return {
    document,
    issues: targeting?.issues ?? findUnevaluated(document),
    invalid: new Set(invalid.keys()),
    resolve(key, context = noContext) {
      const evaluate = flags.get(key) ?? (key.startsWith(toolPrefix) ? flags.get(everyTool) : undefined)
      return evaluate === undefined ? failed(key, 'FLAG_NOT_FOUND', 'does not exist') : evaluate(context)
    },
    keyFor,
    describe: () =>
      [...flags.keys()].map((key) => describeFlag(key, invalid.has(key) ? undefined : document.flags[key])),
  }
}

function failed(key: string, errorCode: FlagErrorCode, what: string): FlagResolution {
  return { status: 'error', errorCode, errorMessage: `flag "${key}" ${what}` }
}

/** An engine may be somebody else's: one that throws costs the flags that need it, and no other. */
function compileTargeting(engine: TargetingEngine, document: FlagDocument): CompiledTargeting {
  try {
    return engine.compile(document)
  } catch {
    const issues = targetedKeys(document).map((key) =>
      flagIssue('error', ['flags', key, 'targeting'], 'could not be compiled'),
    )
    return { issues, resolve: () => ({ status: 'error', message: 'the targeting could not be compiled' }) }
  }
}

/** The flags whose rules are invalid, and why. A flag that is disabled is not asked for its rule. */
function findBroken({ flags }: FlagDocument, issues: readonly FlagIssue[]): ReadonlyMap<string, string> {
  const broken = issues.flatMap(({ severity, at: [root, key], message }): [string, string][] => {
    if (severity !== 'error' || root !== 'flags' || typeof key !== 'string') return []
    const isAsked = Object.hasOwn(flags, key) && flags[key]?.state === 'ENABLED'
    return isAsked ? [[key, `is invalid: its targeting ${message}`]] : []
  })
  return new Map(broken)
}

/** A kill switch that is there and cannot be evaluated counts as on: a typo in an emergency must not keep streaming on. */
function failClosed(evaluate: Evaluate): Evaluate {
  return (context) => {
    const resolution = evaluate(context)
    const isSound =
      resolution.status === 'default' || (resolution.status === 'resolved' && typeof resolution.value === 'boolean')
    return isSound ? resolution : { status: 'resolved', value: true, reason: 'STATIC', variant: 'invalid' }
  }
}

interface Surroundings {
  readonly segments: ReadonlyMap<string, SegmentTest>
  readonly targeting: CompiledTargeting | undefined
  readonly metadata: FlagMetadata | undefined
}

function compileFlag(key: string, flag: FlagDefinition, surroundings: Surroundings): Evaluate {
  const metadata = mergeMetadata(surroundings.metadata, flag.metadata)
  if (flag.state === 'DISABLED') return always({ status: 'default', reason: 'DISABLED', ...metadata })
  const ruled = hasTargeting(flag)
  const miss = giveDefault(flag, flag.rollout === undefined && !ruled ? 'STATIC' : 'DEFAULT', metadata)
  // A rule decided, not the percentage: a rollout must not compare these users with those who were drawn.
  const kept = giveDefault(flag, 'TARGETING_MATCH', metadata)
  const rollout = compileRollout(key, flag, surroundings.segments, metadata)
  const excluded = compileAny(flag.rollout?.exclude, surroundings.segments)
  if (!ruled) {
    if (rollout === undefined) return always(miss)
    return (context) => (excluded(context) ? kept : (rollout(context) ?? miss))
  }
  const { targeting } = surroundings
  if (targeting === undefined) {
    return always(failed(key, 'GENERAL', needsEngine))
  }
  return (context) => {
    if (excluded(context)) return kept
    const rule = targeting.resolve(key, context)
    if (rule.status === 'error') {
      return { status: 'error', errorCode: rule.errorCode ?? 'GENERAL', errorMessage: rule.message }
    }
    if (rule.status === 'none') return rollout?.(context) ?? miss
    return giveVariant(flag, rule.variant, 'TARGETING_MATCH', metadata)
  }
}

/** Makes a function that returns what the rollout gives, or undefined if the unit is out. */
function compileRollout(
  key: string,
  flag: FlagDefinition,
  segments: ReadonlyMap<string, SegmentTest>,
  metadata: ShownMetadata,
): ((context: FlagContext) => FlagResolution | undefined) | undefined {
  const { rollout } = flag
  if (rollout === undefined) return undefined
  const variant = rolloutVariant(flag) ?? ''
  const included = compileAny(rollout.include, segments)
  const member = giveVariant(flag, variant, 'TARGETING_MATCH', metadata)
  const drawn = giveVariant(flag, variant, 'SPLIT', metadata)
  const { percent = 0, unit = 'targetingKey', bucketing } = rollout
  const salt = bucketing?.salt ?? key
  const buckets = bucketsIn(percent)
  const keyless = failed(key, 'TARGETING_KEY_MISSING', `needs "${unit}" in the context to draw its percentage`)
  return (context) => {
    if (included(context)) return member
    // At 0 and 100 percent, every unit gets the same.
    if (percent === 0) return undefined
    if (percent === 100) return drawn
    const value = Object.hasOwn(context, unit) ? context[unit] : undefined
    if (typeof value === 'string' && value !== '') return bucketOf(salt, value) < buckets ? drawn : undefined
    if (typeof value === 'number') return bucketOf(salt, String(value)) < buckets ? drawn : undefined
    return keyless
  }
}

function compileAny(names: readonly string[] = [], segments: ReadonlyMap<string, SegmentTest>): SegmentTest {
  const tests = names.flatMap((name) => segments.get(name) ?? [])
  return tests.length === 0 ? () => false : (context) => tests.some((test) => test(context))
}

type ShownMetadata = { readonly metadata?: FlagMetadata }

function mergeMetadata(set: FlagMetadata | undefined, own: FlagMetadata | undefined): ShownMetadata {
  return set === undefined && own === undefined ? {} : { metadata: { ...set, ...own } }
}

function giveDefault(flag: FlagDefinition, reason: FlagReason, metadata: ShownMetadata): FlagResolution {
  const { defaultVariant = null } = flag
  if (defaultVariant === null) return { status: 'default', reason: 'DEFAULT', ...metadata }
  return giveVariant(flag, defaultVariant, reason, metadata)
}

function giveVariant(
  flag: FlagDefinition,
  variant: string,
  reason: FlagReason,
  metadata: ShownMetadata,
): FlagResolution {
  const value: JsonValue | undefined = Object.hasOwn(flag.variants, variant) ? flag.variants[variant] : undefined
  if (value === undefined)
    return { status: 'error', errorCode: 'GENERAL', errorMessage: `there is no variant "${variant}"` }
  return { status: 'resolved', value, reason, variant, ...metadata }
}

function always(resolution: FlagResolution): Evaluate {
  return () => resolution
}

/** Returns whether a flag has a rule. flagd takes an empty object for no rule. */
export function hasTargeting({ targeting }: FlagDefinition): boolean {
  return targeting !== undefined && Object.keys(targeting).length > 0
}

const needsEngine =
  'has "targeting": install @openfeature/flagd-core and pass targeting: flagdTargeting() from @millrace/flags/flagd'

function findUnevaluated(document: FlagDocument): FlagIssue[] {
  return targetedKeys(document).map((key) =>
    flagIssue('warning', ['flags', key, 'targeting'], `is not evaluated: the flag ${needsEngine}`),
  )
}

function targetedKeys({ flags }: FlagDocument): string[] {
  return Object.entries(flags).flatMap(([key, flag]) => (hasTargeting(flag) ? [key] : []))
}
