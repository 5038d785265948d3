import { isSame, type JsonObject } from '../kit/json.ts'

/** Parameters that are compared elsewhere. */
const ownMatter: ReadonlySet<string> = new Set(['tools', 'container'])

/** Returns the names of parameters that a later turn changed. */
export function parameterChanges(first: JsonObject, later: JsonObject): string[] {
  const names = new Set([...Object.keys(first), ...Object.keys(later)])
  return [...names].filter(
    (name) => !ownMatter.has(name) && (name in first !== name in later || !isSame(first[name], later[name])),
  )
}
