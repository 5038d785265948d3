import type { FlagContext, FlagValue } from '@millrace/core'
import type { FlagSegment } from './document.ts'

/** Returns whether a context belongs to a segment. */
export type SegmentTest = (context: FlagContext) => boolean

/** Prepares the test of a segment. */
export function compileSegment(segment: FlagSegment): SegmentTest {
  const keys = new Set(segment.targetingKeys)
  const domains = new Set(segment.emailDomains?.map((domain) => domain.toLowerCase()))
  const attributes = Object.entries(segment.attributes ?? {}).map(
    ([name, values]) => [name, new Set<FlagValue | undefined>(values)] as const,
  )
  return (context) => {
    const { targetingKey, email } = context
    if (targetingKey !== undefined && keys.has(targetingKey)) return true
    if (domains.size > 0 && (hasDomain(email, domains) || hasDomain(targetingKey, domains))) return true
    return attributes.some(([name, values]) => {
      const value = Object.hasOwn(context, name) ? context[name] : undefined
      return Array.isArray(value) ? value.some((member) => values.has(member)) : values.has(value)
    })
  }
}

function hasDomain(address: FlagValue | undefined, domains: ReadonlySet<string>): boolean {
  if (typeof address !== 'string') return false
  const at = address.lastIndexOf('@')
  return at > 0 && domains.has(address.slice(at + 1).toLowerCase())
}
