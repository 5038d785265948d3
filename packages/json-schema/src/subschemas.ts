import { isRecord } from '@millrace/core/kit'

/** A schema inside a schema, and the path to it. */
export interface Subschema {
  readonly path: readonly (string | number)[]
  readonly schema: Readonly<Record<string, unknown>>
}

const single = [
  'additionalItems',
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
] as const
const lists = ['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems'] as const
const maps = ['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties'] as const

/** Yields `schema` and every schema in it, wherever a keyword of the drafts has one. */
export function* subschemas(schema: unknown, path: readonly (string | number)[] = []): Generator<Subschema> {
  if (!isRecord(schema)) return
  yield { path, schema }
  for (const key of single) yield* subschemas(schema[key], [...path, key])
  for (const key of lists) {
    const list = schema[key]
    if (!Array.isArray(list)) continue
    for (const [index, item] of list.entries()) yield* subschemas(item, [...path, key, index])
  }
  for (const key of maps) {
    const map = schema[key]
    if (!isRecord(map)) continue
    for (const [name, item] of Object.entries(map)) yield* subschemas(item, [...path, key, name])
  }
}
