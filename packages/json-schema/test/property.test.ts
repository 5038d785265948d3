import { sized } from '@millrace/config/sized'
import { Validator } from '@cfworker/json-schema'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonSchema } from '../src/index.ts'
import { generatedOver } from './arbitraries.ts'

/** Three of the keys exist on every object's prototype. */
const { json, schema } = generatedOver('a', 'b', 'c', 'constructor', 'toString', 'hasOwnProperty')
/** The other validator throws where an input has a key such as `toString`. */
const harmless = generatedOver('a', 'b', 'c', 'd')

const accepted = (result: { issues?: unknown }): boolean => result.issues === undefined

test('accepts and refuses what the validator accepts and refuses', () => {
  let refused = 0
  fc.assert(
    fc.property(schema, json, (given, value) => {
      const verdict = accepted(jsonSchema(given).validate(value))
      if (!verdict) refused += 1
      expect(verdict).toBe(new Validator(structuredClone(given), '2020-12').validate(value).valid)
    }),
    { numRuns: sized({ quick: 300, long: 1500 }) },
  )
  expect(refused).toBeGreaterThan(sized({ quick: 20, long: 100 }))
})

test('agrees with an independent validator that generates code', () => {
  fc.assert(
    fc.property(harmless.schema, harmless.json, (given, value) => {
      const ajv = new Ajv2020({ strict: false, ownProperties: true, logger: false })
      expect(accepted(jsonSchema(given).validate(value))).toBe(ajv.validate(given, value))
    }),
    { numRuns: sized({ quick: 40, long: 200 }) },
  )
})

const hostile = fc.oneof(
  json,
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
  }),
  fc.constantFrom(undefined, NaN, Infinity, Symbol('s'), 1n, () => 1),
  fc.constant(null).map(() => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    return circle
  }),
  fc.constant(null).map(
    () =>
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('trap')
          },
        },
      ),
  ),
  fc.constant(null).map(() => ({
    get a(): never {
      throw new Error('getter')
    },
  })),
  fc.constant(null).map((): unknown => JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`)),
  fc.constant(null).map((): unknown => JSON.parse('{"\\ud800":1}')),
)

test('never throws, whatever the input', () => {
  fc.assert(
    fc.property(schema, hostile, (given, value) => {
      const { validate } = jsonSchema(given)
      const result = validate(value)
      const count = result.issues?.length ?? 1
      expect(count).toBeGreaterThan(0)
      expect(count).toBeLessThanOrEqual(20)
    }),
    { numRuns: sized({ quick: 300, long: 1500 }) },
  )
})

test('leaves schema and input as they were', () => {
  fc.assert(
    fc.property(schema, json, (given, value) => {
      const before = JSON.stringify([given, value])
      const result = jsonSchema(given).validate(value)
      expect(JSON.stringify([given, value])).toBe(before)
      expect(result.issues === undefined ? result.value : value).toBe(value)
    }),
  )
})
