import { leakCanary } from '../faults/fault.ts'

const patterns: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: 'an upstream body', pattern: new RegExp(`${leakCanary}|<!doctype html|request_id"`, 'i') },
  { name: 'a stack trace', pattern: /\n\s+at .+[:(]\d+/ },
  { name: 'a file path', pattern: /file:\/\/|(?:^|[\s"'(])\/(?:[\w.@-]+\/){2,}[\w.@-]+|[A-Z]:\\\\?\w/ },
]

/** What of the things that must stay on the server is in these values; empty where nothing is. */
export function findLeaks(values: readonly unknown[], apiKey: string): readonly string[] {
  const text = values.map((value) => spell(value)).join('\n')
  const found = patterns.filter(({ pattern }) => pattern.test(text)).map(({ name }) => name)
  return text.includes(apiKey) ? ['the API key', ...found] : found
}

/** A value as text, with the line breaks of its strings, and all of an error that somebody could print. */
function spell(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || depth > 8) return String(value)
  const own = Object.entries(value).map(([field, inner]) => `${field}: ${spell(inner, depth + 1)}`)
  if (value instanceof Error) own.push(value.message, value.stack ?? '', spell(value.cause, depth + 1))
  return own.join('\n')
}
