import { isSame, type JsonObject } from '../kit/json.ts'

/** Parameters that have a comparison of their own. */
const ownMatter: ReadonlySet<string> = new Set(['tools', 'container'])

/** The parameters of a later turn that are not those of the first one. */
export function parameterChanges(first: JsonObject, later: JsonObject): string[] {
  const names = new Set([...Object.keys(first), ...Object.keys(later)])
  return [...names].filter(
    (name) => !ownMatter.has(name) && (name in first !== name in later || !isSame(first[name], later[name])),
  )
}
