import * as fc from 'fast-check'

const text = fc.constantFrom('', 'a', 'ab', 'abc', 'constructor', '12', 'é', '😀')
const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0.5, 1e21, -1.25))
const leaf = fc.oneof(text, number, fc.boolean(), fc.constant(null))
const typeName = fc.constantFrom('array', 'boolean', 'integer', 'null', 'number', 'object', 'string')
const count = fc.integer({ min: 0, max: 3 })

/** Schemas and values over the same few keys, so that they meet. */
export interface Generated {
  /** Any JSON value, small. */
  readonly json: fc.Arbitrary<unknown>
  /** A whole schema of draft 2020-12, with the definition that its `$ref`s lead to. */
  readonly schema: fc.Arbitrary<Record<string, unknown>>
}

function jsonOver(key: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value
}

function subschemaOver(key: fc.Arbitrary<string>, json: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.letrec((tie) => {
    const schema = tie('schema')
    const map = fc.dictionary(key, schema, { maxKeys: 3, noNullPrototype: true })
    const list = fc.array(schema, { minLength: 1, maxLength: 3 })
    const keywords = fc.record(
      {
        type: fc.oneof(typeName, fc.uniqueArray(typeName, { minLength: 1, maxLength: 3 })),
        enum: fc.uniqueArray(json, { minLength: 1, maxLength: 3, selector: (value) => JSON.stringify(value) }),
        const: json,
        minimum: number,
        exclusiveMaximum: number,
        multipleOf: fc.constantFrom(1, 2, 3),
        minLength: count,
        maxLength: count,
        pattern: fc.constantFrom('^a', 'b$', '^.{2}$', '^[0-9]+$'),
        minItems: count,
        maxItems: count,
        uniqueItems: fc.boolean(),
        items: schema,
        prefixItems: list,
        contains: schema,
        properties: map,
        patternProperties: fc.dictionary(fc.constantFrom('^a', 'o', '^.$'), schema, {
          maxKeys: 2,
          noNullPrototype: true,
        }),
        additionalProperties: schema,
        propertyNames: fc.record({ maxLength: count }, { requiredKeys: [] }),
        required: fc.uniqueArray(key, { maxLength: 3 }),
        minProperties: count,
        maxProperties: count,
        dependentRequired: fc.dictionary(key, fc.uniqueArray(key, { maxLength: 2 }), {
          maxKeys: 2,
          noNullPrototype: true,
        }),
        dependentSchemas: map,
        allOf: list,
        anyOf: list,
        oneOf: list,
        not: schema,
        if: schema,
        // oxlint-disable-next-line unicorn/no-thenable -- the keyword's name
        then: schema,
        else: schema,
        $ref: fc.constant('#/$defs/d'),
      },
      { requiredKeys: [] },
    )
    const typed = fc.record({ type: typeName })
    return { schema: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.boolean(), typed, keywords) }
  }).schema
}

export function generatedOver(...keys: readonly string[]): Generated {
  const key = fc.constantFrom(...keys)
  const json = jsonOver(key)
  const schema = fc
    .record({ inner: subschemaOver(key, json), type: typeName })
    .map(({ inner, type }) => ({ $defs: { d: { type } }, allOf: [inner] }))
  return { json, schema }
}
