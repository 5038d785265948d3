import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineTool, type InputResult, type ToolContext, type ToolProgress } from '../../src/index.ts'

const base = { name: 'look_up', description: 'Looks up an order' }

describe('the type of a tool input', () => {
  it('comes from zod', () => {
    const tool = defineTool({
      ...base,
      inputSchema: z.object({ order: z.string(), items: z.array(z.number()).optional() }),
      reconcile: (input) => {
        expectTypeOf(input).toEqualTypeOf<{ order: string; items?: number[] | undefined }>()
        return { happened: false }
      },
      run(input, context) {
        expectTypeOf(input).toEqualTypeOf<{ order: string; items?: number[] | undefined }>()
        expectTypeOf(context).toEqualTypeOf<ToolContext>()
        return input.order
      },
    })
    expect(tool.definition['input_schema']).toMatchObject({
      type: 'object',
      properties: { order: { type: 'string' }, items: { type: 'array' } },
      required: ['order'],
    })
  })

  it('comes from zod, after its transforms and defaults', () => {
    const tool = defineTool({
      ...base,
      inputSchema: z.object({ at: z.string().transform((text) => new Date(text)), limit: z.number().default(3) }),
      run(input) {
        expectTypeOf(input).toEqualTypeOf<{ at: Date; limit: number }>()
      },
    })
    // The model is asked for what goes in, not for what comes out.
    expect(tool.definition['input_schema']).toMatchObject({ properties: { at: { type: 'string' } }, required: ['at'] })
  })

  it('comes from valibot', () => {
    const tool = defineTool({
      ...base,
      inputSchema: toStandardJsonSchema(v.object({ order: v.string(), count: v.optional(v.number()) })),
      run(input) {
        expectTypeOf(input).toEqualTypeOf<{ order: string; count?: number | undefined }>()
      },
    })
    expect(tool.definition['input_schema']).toMatchObject({ type: 'object', required: ['order'] })
  })

  it('comes from arktype', () => {
    const tool = defineTool({
      ...base,
      inputSchema: type({ order: 'string', 'count?': 'number' }),
      run(input) {
        expectTypeOf(input).toEqualTypeOf<{ order: string; count?: number }>()
      },
    })
    expect(tool.definition['input_schema']).toMatchObject({ type: 'object', required: ['order'] })
  })

  it('comes from the validator of a JSON Schema', async () => {
    const tool = defineTool({
      ...base,
      inputSchema: {
        jsonSchema: { type: 'object' },
        validate: (value): InputResult<{ order: string }> =>
          typeof value === 'object' ? { value: { order: 'x' } } : { issues: [] },
      },
      run(input) {
        expectTypeOf(input).toEqualTypeOf<{ order: string }>()
      },
    })
    expect((await tool.prepare({})).issues).toBeUndefined()
    expect((await tool.prepare('text')).issues).toHaveLength(1)
  })

  it('is an object for a JSON Schema without a validator', async () => {
    const tool = defineTool({
      ...base,
      inputSchema: { jsonSchema: { type: 'object' } },
      run(input) {
        expectTypeOf(input).toEqualTypeOf<Readonly<Record<string, unknown>>>()
      },
    })
    expect((await tool.prepare({ any: 1 })).issues).toBeUndefined()
    expect((await tool.prepare('text')).issues).toHaveLength(1)
  })
})

describe('defineTool', () => {
  const inputSchema = z.object({})

  it('accepts a run that returns at once, later, or as a generator', () => {
    const tools = [
      defineTool({ ...base, inputSchema, run: () => 'now' }),
      defineTool({ ...base, inputSchema, run: () => Promise.resolve({ some: 'JSON' }) }),
      defineTool({
        ...base,
        inputSchema,
        async *run(): AsyncGenerator<ToolProgress, string, void> {
          yield { progress: 1, total: 2, message: 'half', data: {} }
          return 'done'
        },
      }),
    ]
    expect(tools).toHaveLength(3)
  })

  it('rejects an input of another type and missing options at compile time', () => {
    const declare = (): void => {
      defineTool({
        ...base,
        inputSchema: z.object({ order: z.string() }),
        // @ts-expect-error the schema says string
        run: ({ order }: { order: number }) => order,
      })
      // @ts-expect-error run is needed
      defineTool({ ...base, inputSchema })
      // @ts-expect-error a schema is needed
      defineTool({ ...base, run: () => '' })
    }
    expect(declare).toThrow('run')
  })
})
