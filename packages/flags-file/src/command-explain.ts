import { type FlagContext, flagKeys } from '@millrace/core'
import {
  bucketCount,
  bucketOf,
  compileFlags,
  type FlagResolution,
  FlagFormatError,
  type FlagSet,
  formatIssues,
} from '@millrace/flags'
import {
  allowOptions,
  type CommandHost,
  type CommandOptions,
  formatPlace,
  loadFile,
  loadTargeting,
  toolKey,
  UsageError,
} from './command-line.ts'

/** Shows what a file decides for a user, and why. */
export async function explain(words: readonly string[], options: CommandOptions, host: CommandHost): Promise<number> {
  allowOptions('explain', options, ['user', 'tool', 'attr'])
  const [path, ...rest] = words
  if (path === undefined || rest.length > 0) throw new UsageError('explain needs one file')
  const context = readContext(options)
  const tools = options.tool ?? []
  const keys = [flagKeys.kill, flagKeys.streaming, ...tools.map(toolKey)]
  const read = await loadFile(path, options.format)
  if (read.status === 'refused') {
    throw new FlagFormatError(`"${path}" is invalid: ${formatIssues(read.issues)}`, read.issues)
  }
  const set = compileFlags(read.document, { ...(await loadTargeting()), invalid: read.invalid })
  for (const issue of [...read.issues, ...set.issues].filter(({ severity }) => severity === 'error')) {
    host.err(formatPlace(path, issue))
  }
  const rules = new Map(set.describe().map(({ key, rule }) => [key, rule]))
  for (const key of keys) {
    const answeredBy = set.keyFor(key)
    host.out(`${key}: ${describeResolution(set.resolve(key, context))}`)
    if (answeredBy === undefined) continue
    host.out(`  ${answeredBy === key ? 'rule' : `rule of ${answeredBy}`}: ${rules.get(answeredBy) ?? ''}`)
    const bucket = describeBucket(set, answeredBy, context)
    if (bucket !== undefined) host.out(`  ${bucket}`)
  }
  host.out(conclude(set, context, tools))
  return 0
}

function readContext({ user, attr = [] }: CommandOptions): FlagContext {
  const attributes = attr.map((pair): [string, string] => {
    const at = pair.indexOf('=')
    if (at < 1) throw new UsageError(`--attr must be <name>=<value>, not "${pair}"`)
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return { ...Object.fromEntries(attributes), ...(user !== undefined && { targetingKey: user }) }
}

function describeResolution(resolution: FlagResolution): string {
  switch (resolution.status) {
    case 'resolved':
      return `${JSON.stringify(resolution.value)} (${resolution.reason}${resolution.variant === undefined ? '' : `, variant ${resolution.variant}`})`
    case 'default':
      return `the code's default (${resolution.reason})`
    case 'error':
      return resolution.errorCode === 'FLAG_NOT_FOUND'
        ? 'not in this file'
        : `error ${resolution.errorCode}: ${resolution.errorMessage}`
  }
}

function describeBucket(set: FlagSet, key: string, context: FlagContext): string | undefined {
  const { rollout } = set.document.flags[key] ?? {}
  if (rollout?.percent === undefined) return undefined
  const { unit = 'targetingKey', bucketing, percent } = rollout
  const value = context[unit]
  if (typeof value !== 'string' || value === '') return undefined
  const share = (bucketOf(bucketing?.salt ?? key, value) * 100) / bucketCount
  return `bucket: ${share.toFixed(3)}, which is ${share < percent ? 'within' : 'beyond'} ${percent}%`
}

/** The decision of a run that has no other flags than this file. Tools stream unless their flag says no. */
function conclude(set: FlagSet, context: FlagContext, tools: readonly string[]): string {
  const isOn = (key: string, fallback: boolean): boolean => {
    const resolution = set.resolve(key, context)
    if (resolution.status === 'resolved') return resolution.value === true
    return resolution.status === 'default' || resolution.errorCode === 'FLAG_NOT_FOUND' ? fallback : false
  }
  if (isOn(flagKeys.kill, false)) return 'decision: no run streams, the kill switch is on'
  if (!isOn(flagKeys.streaming, false)) return 'decision: the run does not stream'
  const parts = tools.map((tool) => `${tool} ${isOn(flagKeys.tool(tool), true) ? 'streams' : 'does not'}`)
  return `decision: the run streams${parts.length === 0 ? '' : `; ${parts.join(', ')}`}`
}
