import type { Schema } from '@cfworker/json-schema'

const count: Schema = { type: 'integer', minimum: 0 }
const names: Schema = { type: 'array', items: { type: 'string' } }
const schema: Schema = { $ref: '#' }
const schemas: Schema = { type: 'array', items: schema, minItems: 1 }
const schemaMap: Schema = { type: 'object', additionalProperties: schema }
const typeName: Schema = { enum: ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'] }

const shared: Record<string, Schema> = {
  $id: { type: 'string' },
  $schema: { type: 'string' },
  $ref: { type: 'string' },
  $anchor: { type: 'string' },
  $defs: schemaMap,
  definitions: schemaMap,
  type: { anyOf: [typeName, { type: 'array', items: typeName, minItems: 1, uniqueItems: true }] },
  enum: { type: 'array' },
  multipleOf: { type: 'number', exclusiveMinimum: 0 },
  maximum: { type: 'number' },
  exclusiveMaximum: { type: 'number' },
  minimum: { type: 'number' },
  exclusiveMinimum: { type: 'number' },
  maxLength: count,
  minLength: count,
  pattern: { type: 'string' },
  format: { type: 'string' },
  maxItems: count,
  minItems: count,
  uniqueItems: { type: 'boolean' },
  contains: schema,
  minContains: count,
  maxContains: count,
  maxProperties: count,
  minProperties: count,
  required: names,
  properties: schemaMap,
  patternProperties: schemaMap,
  additionalProperties: schema,
  unevaluatedProperties: schema,
  unevaluatedItems: schema,
  propertyNames: schema,
  dependentRequired: { type: 'object', additionalProperties: names },
  dependentSchemas: schemaMap,
  dependencies: { type: 'object', additionalProperties: { anyOf: [schema, names] } },
  if: schema,
  // oxlint-disable-next-line unicorn/no-thenable -- the keyword's name; nobody awaits a schema
  then: schema,
  else: schema,
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  not: schema,
}

function metaSchema(items: Record<string, Schema>): Schema {
  return { type: ['object', 'boolean'], properties: { ...shared, ...items } }
}

/**
 * The meta-schema of each draft. The official one of 2020-12 consists of eight documents joined by `$dynamicRef`, which the
 * validator does not follow. These say the same, in one document, about the keywords that have an effect.
 */
export const metaSchemas: Readonly<Record<'7' | '2019-09' | '2020-12', Schema>> = {
  '7': metaSchema({ items: { anyOf: [schema, schemas] }, additionalItems: schema }),
  '2019-09': metaSchema({ items: { anyOf: [schema, schemas] }, additionalItems: schema }),
  '2020-12': metaSchema({ items: schema, prefixItems: schemas }),
}
