import { defineTool } from '@millrace/core'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, expectTypeOf, test } from 'vitest'
import { jsonSchema } from '../src/index.ts'

const order = jsonSchema({
  type: 'object',
  required: ['id', 'lines'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', format: 'uuid' },
    lines: { type: 'array', items: { $ref: '#/$defs/line' }, minItems: 1 },
  },
  $defs: {
    line: {
      type: 'object',
      required: ['sku', 'count'],
      properties: { sku: { type: 'string' }, count: { type: 'integer', minimum: 1 } },
    },
  },
})
const id = '123e4567-e89b-42d3-a456-426614174000'

test('derives the type of an input from a literal schema, and from nothing else', () => {
  const { validate } = jsonSchema({
    type: 'object',
    required: ['sku'],
    additionalProperties: false,
    properties: { sku: { type: 'string' }, count: { type: ['integer', 'null'] } },
  })
  expectTypeOf<Valid<typeof validate>>().toEqualTypeOf<{ sku: string; count?: number | null }>()
  const dynamic: Readonly<Record<string, unknown>> = { type: 'object' }
  expectTypeOf<Valid<(typeof dynamicSchema)['validate']>>().toBeUnknown()
  const dynamicSchema = jsonSchema(dynamic)
  expect(dynamicSchema.validate({})).toEqual({ value: {} })
})

type Valid<Validate extends (value: unknown) => unknown> = Extract<ReturnType<Validate>, { value: unknown }>['value']

test('returns a valid input as it is', () => {
  const input: unknown = { id, lines: [{ sku: 'a', count: 2 }] }
  const result = order.validate(input)
  expect(result).toEqual({ value: input })
})

test('reports everything that is wrong, with its path', () => {
  const { issues } = order.validate({ id: 'x', lines: [{ sku: 1, count: 0 }, { sku: 'b' }], extra: true })
  expect(issues).toEqual([
    { path: ['id'], message: 'String does not match format "uuid".' },
    { path: ['lines', 0, 'sku'], message: 'Instance type "number" is invalid. Expected "string".' },
    { path: ['lines', 0, 'count'], message: '0 is less than 1.' },
    { path: ['lines', 1], message: 'Instance does not have required property "count".' },
    { path: ['extra'], message: 'Is not allowed here.' },
  ])
})

test('puts keys into paths as they were sent', () => {
  const { validate } = jsonSchema({ additionalProperties: { type: 'number' } })
  for (const key of ['a/b', 'a~b', '~1', '#', '%25', '0', '', 'ü', 'a b']) {
    expect(validate({ [key]: 'no' }).issues).toEqual([
      { path: [key], message: expect.stringContaining('Expected "number"') },
    ])
  }
})

test('answers a large input with few issues', () => {
  const { issues } = jsonSchema({ items: { type: 'string' } }).validate(Array.from({ length: 100_000 }, () => 1))
  expect(issues?.length).toBe(1)
  expect(jsonSchema({ items: { type: 'string' } }).validate(Array.from({ length: 1000 }, () => 1)).issues?.length).toBe(
    20,
  )
})

test('gives defineTool its schema and the type of its input', () => {
  const tool = defineTool({
    name: 'place_order',
    description: 'Places an order.',
    inputSchema: order,
    run(input) {
      expectTypeOf(input.id).toEqualTypeOf<string>()
      expectTypeOf(input.lines.map(({ sku }) => sku)).toEqualTypeOf<string[]>()
      return input.id
    },
  })
  expect(tool.definition['input_schema']).toMatchObject({ type: 'object', required: ['id', 'lines'] })
})

const refusals: [name: string, schema: Record<string, unknown>, path: string][] = [
  ['an unknown type', { properties: { a: { type: 'strnig' } } }, 'schema.properties.a.type'],
  ['required that is not a list', { required: 'a' }, 'schema.required'],
  ['a negative count', { items: { maxLength: -1 } }, 'schema.items.maxLength'],
  ['a schema that is a string', { anyOf: [{}, 'string'] }, 'schema.anyOf[1]'],
  ['a list of items', { items: [{ type: 'string' }] }, 'schema.items'],
  ['a broken pattern', { properties: { a: { pattern: '(' } } }, 'schema.properties.a.pattern'],
  ['a broken pattern of names', { patternProperties: { '[': true } }, 'schema.patternProperties.['],
  ['a $ref to nothing', { properties: { a: { $ref: '#/$defs/b' } } }, 'schema.properties.a.$ref'],
  ['a $ref to elsewhere', { $ref: 'https://example.com/schema' }, 'schema.$ref'],
  ['$dynamicRef', { items: { $dynamicRef: '#a' } }, 'schema.items.$dynamicRef'],
  ['an unknown draft', { $schema: 'http://json-schema.org/draft-04/schema#' }, 'schema.$schema'],
  ['a draft that is not a string', { $schema: 7 }, 'schema.$schema'],
  ['a function in it', { default: () => 1 }, 'schema.default'],
  ['a loop', { $ref: '#' }, 'schema'],
  [
    'the same $id twice',
    { $defs: { a: { $id: 'https://a.example' }, b: { $id: 'https://a.example', type: 'null' } } },
    'schema',
  ],
]

test.each(refusals)('refuses %s at once, with its path', (_name, schema, path) => {
  expect(() => jsonSchema(schema)).toThrow(
    expect.objectContaining({ name: 'MillraceError', code: 'invalid_schema', path }),
  )
})

test('refuses a schema that contains itself', () => {
  const schema: Record<string, unknown> = {}
  schema['not'] = schema
  expect(() => jsonSchema(schema)).toThrow(expect.objectContaining({ code: 'invalid_schema' }))
})

test('refuses a wrong option', () => {
  // @ts-expect-error -- draft-04 is not offered
  expect(() => jsonSchema({}, { draft: '4' })).toThrow(
    expect.objectContaining({ code: 'invalid_option', path: 'options.draft' }),
  )
  // @ts-expect-error -- there is no such option
  expect(() => jsonSchema({}, { drft: '7' })).toThrow(
    expect.objectContaining({ code: 'unknown_option', path: 'options.drft' }),
  )
})

test('follows the rules of each draft', () => {
  const tuple = { items: [{ type: 'string' }], additionalItems: false }
  for (const schema of [
    jsonSchema(tuple, { draft: '7' }),
    jsonSchema({ ...tuple, $schema: 'http://json-schema.org/draft-07/schema#' }),
    jsonSchema({ prefixItems: [{ type: 'string' }], items: false }),
  ]) {
    expect(schema.validate(['a']).issues).toBeUndefined()
    expect(schema.validate([1]).issues).toHaveLength(1)
    expect(schema.validate(['a', 'b']).issues).toHaveLength(1)
  }
  // Draft 7 ignores what stands beside a $ref, 2020-12 does not.
  const beside = { definitions: { s: { type: 'string' } }, $ref: '#/definitions/s', maxLength: 1 }
  expect(jsonSchema(beside, { draft: '7' }).validate('long').issues).toBeUndefined()
  expect(jsonSchema(beside).validate('long').issues).toHaveLength(1)
})

test('accepts a frozen schema and returns it unchanged', () => {
  const schema = Object.freeze({
    type: 'object',
    properties: Object.freeze({ a: Object.freeze({ $ref: '#/$defs/b' }) }),
    $defs: { b: {} },
  })
  const { jsonSchema: given } = jsonSchema(schema)
  expect(given).toBe(schema)
})

test('follows a recursive schema through the whole input', () => {
  const { validate } = jsonSchema({
    $ref: '#/$defs/tree',
    $defs: { tree: { properties: { left: { $ref: '#/$defs/tree' }, n: { type: 'number' } } } },
  })
  expect(validate({ left: { left: { n: 1 } } }).issues).toBeUndefined()
  expect(validate({ left: { left: { n: 'x' } } }).issues).toEqual([
    { path: ['left', 'left', 'n'], message: expect.stringContaining('Expected "number"') },
  ])
})

test('refuses an input that enters an endless recursion, and no other', () => {
  const { validate } = jsonSchema({ properties: { a: { $ref: '#/$defs/x' } }, $defs: { x: { $ref: '#/$defs/x' } } })
  expect(validate({}).issues).toBeUndefined()
  expect(validate({ a: 1 }).issues).toEqual([{ message: 'Could not be validated.' }])
})

test('ignores keys of the prototype unless they were sent', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    const sent: unknown = JSON.parse(`{"${name}": 1}`)
    const needs = jsonSchema({ required: [name] })
    expect(needs.validate({}).issues).toHaveLength(1)
    expect(needs.validate(sent).issues).toBeUndefined()
    const closed = jsonSchema({ additionalProperties: false })
    expect(closed.validate(sent).issues).toHaveLength(1)
    const typed = jsonSchema(JSON.parse(`{"properties": {"${name}": {"type": "string"}}}`))
    expect(typed.validate({}).issues).toBeUndefined()
    expect(typed.validate(sent).issues).toHaveLength(1)
    expect(jsonSchema({ format: name }).validate('text').issues).toBeUndefined()
  }
  expect(Object.keys(Object.prototype)).toEqual([])
})

test.each([
  ['date', '2024-02-29', '2023-02-29'],
  ['date-time', '2024-01-01T10:00:00Z', 'yesterday'],
  ['email', 'a@b.example', 'a@'],
  ['uri', 'https://a.example/b', 'a b'],
  ['ipv4', '127.0.0.1', '127.0.0.256'],
  ['uuid', id, 'x'],
])('asserts the format %s', (format, good, bad) => {
  const { validate } = jsonSchema({ format })
  expect(validate(good).issues).toBeUndefined()
  expect(validate(bad).issues).toHaveLength(1)
  expect(validate(1).issues).toBeUndefined()
})

test('keeps the cause of an error', () => {
  const refusal = expect.objectContaining({ name: 'MillraceError', cause: expect.any(SyntaxError) })
  expect(() => jsonSchema({ pattern: '(' })).toThrow(refusal)
})

test('works if the runtime forbids code generation', () => {
  const original = globalThis.Function
  const forbidden = new Proxy(original, {
    construct: () => {
      throw new EvalError('Code generation from strings disallowed for this context')
    },
    apply: () => {
      throw new EvalError('Code generation from strings disallowed for this context')
    },
  })
  try {
    globalThis.Function = forbidden
    expect(() => new Ajv2020({ logger: false }).compile({ type: 'object' })).toThrow(EvalError)
    expect(jsonSchema({ type: 'object', required: ['a'] }).validate({}).issues).toHaveLength(1)
  } finally {
    globalThis.Function = original
  }
})
