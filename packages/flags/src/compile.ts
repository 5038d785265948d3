import { type FlagContext, flagKeys } from '@millrace/core'
import { bucketOf, bucketsIn } from './bucket.ts'
import { describeFlag } from './describe-flag.ts'
import type { FlagDefinition, FlagDocument, FlagMetadata, JsonValue } from './document.ts'
import { type FlagIssue, flagIssue } from './issues.ts'
import { aTargetingEngine, checkOptions, optional } from './options.ts'
import { rolloutVariant } from './read-document.ts'
import { compileSegment, type SegmentTest } from './segments.ts'
import type { FlagDescription, FlagReason, FlagResolution } from './source.ts'
import type { CompiledTargeting, TargetingEngine } from './targeting.ts'

/** A document, ready to be evaluated. Immutable. */
export interface FlagSet {
  readonly document: FlagDocument
  /** Warnings that only show when the document is prepared: about `targeting`. */
  readonly issues: readonly FlagIssue[]
  /**
   * Evaluates a flag, in about a microsecond where no `targeting` is involved. Never throws. A tool without a flag of its
   * own is answered by `use_streaming.tool.*` where the document has that.
   */
  resolve(key: string, context?: FlagContext): FlagResolution
  /** The key in the document that answers for `key`, if any. */
  keyFor(key: string): string | undefined
  describe(): readonly FlagDescription[]
}

type Evaluate = (context: FlagContext) => FlagResolution

const toolPrefix = flagKeys.tool('')
const everyTool = flagKeys.tool('*')
const noContext: FlagContext = {}
const compileRules = { targeting: optional(aTargetingEngine) }

/**
 * Prepares `document`, which was read by `readFlagDocument`, for evaluation. Without `targeting`, flags that have such rules
 * evaluate to an error.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function compileFlags(document: FlagDocument, options: { targeting?: TargetingEngine } = {}): FlagSet {
  checkOptions(options, compileRules)
  const targeting = options.targeting?.compile(document)
  const segments = new Map(
    Object.entries(document.$segments ?? {}).map(([name, segment]) => [name, compileSegment(segment)] as const),
  )
  const flags = new Map<string, Evaluate>()
  for (const [key, flag] of Object.entries(document.flags)) {
    flags.set(key, compileFlag(key, flag, { segments, targeting, metadata: document.metadata }))
  }
  const keyFor = (key: string): string | undefined => {
    if (flags.has(key)) return key
    return key.startsWith(toolPrefix) && flags.has(everyTool) ? everyTool : undefined
  }
  return {
    document,
    issues: targeting?.issues ?? findUnevaluated(document),
    resolve(key, context = noContext) {
      const evaluate = flags.get(key) ?? (key.startsWith(toolPrefix) ? flags.get(everyTool) : undefined)
      if (evaluate !== undefined) return evaluate(context)
      return { status: 'error', errorCode: 'FLAG_NOT_FOUND', errorMessage: `there is no flag ${key}` }
    },
    keyFor,
    describe: () => Object.entries(document.flags).map(([key, flag]) => describeFlag(key, flag)),
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
  const rollout = compileRollout(key, flag, surroundings.segments, metadata)
  const excluded = compileAny(flag.rollout?.exclude, surroundings.segments)
  if (!ruled) {
    if (rollout === undefined) return always(miss)
    return (context) => (excluded(context) ? miss : (rollout(context) ?? miss))
  }
  const { targeting } = surroundings
  if (targeting === undefined) {
    return always({ status: 'error', errorCode: 'GENERAL', errorMessage: `flag ${key}: ${needsEngine}` })
  }
  return (context) => {
    if (excluded(context)) return miss
    const rule = targeting.resolve(key, context)
    if (rule.status === 'error') return { status: 'error', errorCode: 'GENERAL', errorMessage: rule.message }
    if (rule.status === 'none') return rollout?.(context) ?? miss
    return giveVariant(flag, rule.variant, 'TARGETING_MATCH', metadata)
  }
}

/** Gives what the rollout gives, or undefined where the unit is out. */
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
  const keyless: FlagResolution = {
    status: 'error',
    errorCode: 'TARGETING_KEY_MISSING',
    errorMessage: `flag ${key}: the context has no ${unit}, which its percentage is counted over`,
  }
  return (context) => {
    if (included(context)) return member
    // The ends need no unit: nobody can be told from anybody.
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
    return { status: 'error', errorCode: 'GENERAL', errorMessage: `there is no variant ${variant}` }
  return { status: 'resolved', value, reason, variant, ...metadata }
}

function always(resolution: FlagResolution): Evaluate {
  return () => resolution
}

/** Whether a flag has a rule: flagd takes an empty object for none. */
export function hasTargeting({ targeting }: FlagDefinition): boolean {
  return targeting !== undefined && Object.keys(targeting).length > 0
}

const needsEngine =
  'its "targeting" needs @openfeature/flagd-core, and the option targeting: flagdTargeting() of @millrace/flags/flagd'

function findUnevaluated(document: FlagDocument): FlagIssue[] {
  return Object.entries(document.flags)
    .filter(([, flag]) => hasTargeting(flag))
    .map(([key]) => flagIssue('warning', ['flags', key, 'targeting'], `is not evaluated: ${needsEngine}`))
}
