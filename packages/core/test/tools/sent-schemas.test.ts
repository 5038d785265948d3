import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTool, type ToolSchema } from '../../src/index.ts'

const sent = (inputSchema: ToolSchema): unknown =>
  defineTool({ name: 'x', description: '', inputSchema, run: () => '' }).definition['input_schema']

const dialect = 'https://json-schema.org/draft/2020-12/schema'

describe('the schema that is sent', () => {
  it.each([
    ['an object', z.object({ id: z.string().describe('The id'), count: z.number().int().optional() })],
    ['nested objects', z.object({ a: z.object({ b: z.array(z.object({ c: z.boolean() })) }) })],
    ['a union', z.object({ a: z.union([z.object({ b: z.string() }), z.object({ c: z.literal(1) })]) })],
    ['a loose object', z.looseObject({ a: z.string() })],
    ['a strict object', z.strictObject({ a: z.string() })],
    ['a record', z.object({ a: z.record(z.string(), z.object({ b: z.string() })) })],
    ['no fields', z.object({})],
  ])('is byte for byte what z.toJSONSchema gives: %s', (_what, schema) => {
    expect(JSON.stringify(sent(schema))).toBe(JSON.stringify(z.toJSONSchema(schema)))
  })

  it('demands no field that the schema fills in, and allows what a transform takes', () => {
    const schema = z.object({ a: z.string().default('x'), b: z.string().transform(Number) })
    expect(sent(schema)).toMatchObject({ $schema: dialect, required: ['b'], properties: { b: { type: 'string' } } })
    expect(sent(z.object({ a: z.string().default('x') }))).toEqual({
      $schema: dialect,
      type: 'object',
      properties: { a: { type: 'string', default: 'x' } },
      additionalProperties: false,
    })
  })

  it('keeps all of a plain schema, as a copy', () => {
    const plain = (schema: Readonly<Record<string, unknown>>): unknown =>
      defineTool({ name: 'x', description: '', inputSchema: { jsonSchema: schema }, run: () => '' }).definition[
        'input_schema'
      ]
    const jsonSchema = { $schema: dialect, $id: 'x', type: 'object', properties: {}, additionalProperties: false }
    expect(plain(jsonSchema)).toEqual(jsonSchema)
    expect(plain(jsonSchema)).not.toBe(jsonSchema)
  })

  it('keeps what arktype and valibot say', () => {
    const ark = type({ id: 'string' })
    expect(sent(ark)).toEqual(ark['~standard'].jsonSchema.input({ target: 'draft-2020-12' }))
    const valibot = toStandardJsonSchema(v.object({ id: v.string() }))
    expect(sent(valibot)).toEqual(valibot['~standard'].jsonSchema.input({ target: 'draft-2020-12' }))
    expect([sent(ark), sent(valibot)]).toMatchObject([{ $schema: dialect }, { $schema: dialect }])
  })
})
