import type { FlagContext, FlagValue } from '@millrace/core'

/** Returns the part of a context that is sent: all of it, or the named attributes and the targeting key. */
export function selectContext(context: FlagContext, attributes: readonly string[] | undefined): FlagContext {
  if (attributes === undefined) return context
  const names = new Set(['targetingKey', ...attributes])
  return Object.fromEntries(Object.entries(context).filter(([name]) => names.has(name)))
}

/** Returns a text that is the same for equal contexts, whatever the order of their attributes. */
export function contextKey(context: FlagContext): string {
  return JSON.stringify(sorted(context))
}

/** Returns SHA-256 of a context's key, in hex, so that what is stored on disk names no user. */
export async function hashKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function sorted(value: FlagValue): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (Array.isArray(value)) return value.map(sorted)
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return entries.map(([name, member]) => [name, sorted(member)])
}
