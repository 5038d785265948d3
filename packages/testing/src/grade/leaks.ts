import { leakCanary } from '../faults/fault.ts'

const patterns: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: 'an upstream body', pattern: new RegExp(`${leakCanary}|<!doctype html|request_id"`, 'i') },
  { name: 'a stack trace', pattern: /\n\s+at .+[:(]\d+/ },
  { name: 'a file path', pattern: /file:\/\/|(?:^|[\s"'(])\/(?:[\w.@-]+\/){2,}[\w.@-]+|[A-Z]:\\\\?\w/ },
]

/** Returns the names of what must stay on the server and is in these values. */
export function findLeaks(values: readonly unknown[], apiKey: string): readonly string[] {
  const text = values.map((value) => spell(value)).join('\n')
  const found = patterns.filter(({ pattern }) => pattern.test(text)).map(({ name }) => name)
  return text.includes(apiKey) ? ['the API key', ...found] : found
}

/** Returns a value as text, with the line breaks of its strings and everything of an error that could be printed. */
function spell(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || depth > 8) return String(value)
  const own = Object.entries(value).map(([field, inner]) => `${field}: ${spell(inner, depth + 1)}`)
  if (value instanceof Error) own.push(value.message, value.stack ?? '', spell(value.cause, depth + 1))
  return own.join('\n')
}
