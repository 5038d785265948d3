import { flagKeys } from '@millrace/core'
import type { FlagDefinition } from './document.ts'
import type { FlagDescription } from './source.ts'

/** Describes a flag in words, for operators. Without `flag`, its definition is invalid. */
export function describeFlag(key: string, flag: FlagDefinition | undefined): FlagDescription {
  if (flag !== undefined) return { key, rule: describeRule(key, flag) }
  return { key, rule: key === flagKeys.kill ? 'invalid: counts as on' : 'invalid: evaluates to an error' }
}

function describeRule(key: string, flag: FlagDefinition): string {
  if (flag.state === 'DISABLED') return 'disabled: left to the next source, or to the code'
  const { rollout, targeting = {} } = flag
  const rest = flag.defaultVariant ?? "the code's default"
  const parts: string[] = []
  if (rollout?.exclude !== undefined && rollout.exclude.length > 0)
    parts.push(`never for ${rollout.exclude.join(', ')}`)
  if (Object.keys(targeting).length > 0) parts.push('by its targeting rule')
  if (rollout !== undefined) {
    const { percent = 0, unit = 'targetingKey', bucketing, include = [] } = rollout
    const name = rollout.variant ?? 'on'
    if (include.length > 0) parts.push(`${name} for ${include.join(', ')}`)
    const algo = bucketing?.algo ?? 'murmur3-32/1'
    if (percent === 100) parts.push(`${name} for all`)
    else if (percent > 0) parts.push(`${name} for ${percent}% by ${unit} (${algo}, salt "${bucketing?.salt ?? key}")`)
  }
  return parts.length === 0 ? rest : `${parts.join('; ')}; else ${rest}`
}
