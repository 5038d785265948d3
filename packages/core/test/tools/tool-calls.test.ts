import { text, toolUse } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTool, ToolError, type Tool } from '../../src/index.ts'
import { agentOn, claudeFor, only, question, request } from '../support/scripted.ts'
import { calls, fail, inputSchema, rejectWith, runWith, toolOf, untyped } from './running-a-tool.ts'

describe('what a tool gives is what the model is told', () => {
  const said = { type: 'text', text: 'x' }
  const found = { type: 'search_result', source: 'https://example.com', title: 'x', content: [said] }
  const image = { type: 'image', source: { type: 'url', url: 'https://example.com/x.png' } }
  it.each<[string, unknown, unknown]>([
    ['text', 'as it is', 'as it is'],
    ['text that was cut inside a character', 'a 🙂'.slice(0, 3), 'a \u{fffd}'],
    ['blocks of such text', [{ ...said, text: 'a 🙂'.slice(0, 3) }], [{ ...said, text: 'a \u{fffd}' }]],
    ['an object with such text', { a: 'a 🙂'.slice(0, 3) }, '{"a":"a \\ud83d"}'],
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['an object', { a: [1, 2] }, '{"a":[1,2]}'],
    ['a list', [1, 'two'], '[1,"two"]'],
    ['an empty list', [], '[]'],
    ['a number', 42, '42'],
    ['false', false, 'false'],
    ['content blocks', [said, image], [said, image]],
    ['content blocks, blank text among them', [{ type: 'text', text: ' ' }, image], [image]],
    [
      'blocks of every kind that a result may hold',
      [image, { ...image, type: 'document' }, found, { type: 'tool_reference', tool_name: 'look_up' }],
      [image, { ...image, type: 'document' }, found, { type: 'tool_reference', tool_name: 'look_up' }],
    ],
    ...[
      { type: 'text', label: 'Name' },
      { type: 'document', id: 5 },
      { type: 'document', source: 'invoices' },
      { type: 'image', source: null },
      { type: 'search_result', source: 'x', title: 'y' },
      { type: 'tool_reference', id: 5 },
    ].map((own): [string, unknown, unknown] => [
      `JSON of the tool's own with a type: ${JSON.stringify(own)}`,
      [said, own],
      JSON.stringify([said, own]),
    ]),
    ['blocks that no result may hold', [{ type: 'tool_use', id: 'x' }], '[{"type":"tool_use","id":"x"}]'],
    ['a function, which is no JSON', () => {}, ''],
    ['a promise of any of it', Promise.resolve({ a: 1 }), '{"a":1}'],
  ])('%s', async (_what, output, told) => {
    const run = await runWith(toolOf({ run: () => output }))
    expect(run.told).toEqual([{ type: 'tool_result', tool_use_id: 'toolu_1', content: told }])
    expect(only(run.events, 'tool.finished')).toMatchObject([{ outcome: 'ok', result: told, input: { id: 'toolu_1' } }])
    expect(run.result).toMatchObject({ outcome: 'completed', text: 'Done.' })
  })

  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  it.each<[string, unknown]>([
    ['a circle', circle],
    ['a BigInt', 1n],
  ])('%s has no words: the model is told that the tool ran', async (_what, output) => {
    const { told } = await runWith(toolOf({ run: () => output }))
    expect(told).toMatchObject([
      { is_error: true, content: 'The tool ran, but its result cannot be expressed as JSON' },
    ])
  })

  it.each<[string, () => unknown, unknown]>([
    ['an error', () => fail(new Error('out of stock')), 'out of stock'],
    ['an error whose words were cut inside a character', () => fail(new Error('a 🙂'.slice(0, 3))), 'a \u{fffd}'],
    ['an error without words', () => fail(new RangeError('')), 'RangeError'],
    ['a ToolError with text', () => fail(new ToolError('no such order')), 'no such order'],
    ['a ToolError with blocks', () => fail(new ToolError([said])), [said]],
    ['a ToolError with an image, which no error may hold', () => fail(new ToolError([said, image])), [said]],
    ['a ToolError with nothing but an image', () => fail(new ToolError([image])), 'The tool failed'],
    ['a ToolError with blank text', () => fail(new ToolError([{ type: 'text', text: ' ' }])), 'The tool failed'],
    ['a ToolError without blocks', () => fail(new ToolError([])), 'The tool failed'],
    ['a ToolError without words', () => fail(new ToolError(' ')), 'The tool failed'],
    ['a rejection', () => Promise.reject(new Error('later')), 'later'],
    ['a string', () => rejectWith('just words'), 'just words'],
    ['anything else', () => rejectWith({ secret: 1 }), 'The tool failed'],
  ])('a throw of %s is an error result', async (_what, body, content) => {
    const { told, events, result } = await runWith(toolOf({ run: () => body() }))
    expect(told).toEqual([{ type: 'tool_result', tool_use_id: 'toolu_1', content, is_error: true }])
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'error', result: content }])
    expect(result.outcome).toBe('completed')
  })

  it('a tool that the agent does not have is said not to be there', async () => {
    const { told, events } = await runWith([])
    expect(told).toMatchObject([{ is_error: true, content: 'There is no tool named "act"' }])
    expect(only(events, 'tool.started')).toEqual([])
  })

  it('an input that the schema refuses is said to be wrong, and where; the tool does not run', async () => {
    let ran = 0
    const tool = defineTool({
      name: 'act',
      description: '',
      inputSchema: z.object({ items: z.array(z.object({ price: z.number() })) }),
      run: () => ++ran,
    })
    const script = [
      { content: [toolUse('act', { items: [{ price: 1 }, { price: 'two' }] })] },
      { content: [text('x')] },
    ]
    const { told } = await runWith(tool, script)
    expect(told).toMatchObject([
      { is_error: true, content: expect.stringMatching(/^Invalid input:\nitems\[1\]\.price: /) },
    ])
    expect(ran).toBe(0)
  })

  it.each<[string, () => unknown]>([
    ['throws', () => fail(new Error('x'))],
    ['rejects', () => Promise.reject(new Error('x'))],
    ['gives nothing', () => undefined],
    ['gives issues that are none', () => ({ issues: ['x'] })],
  ])('a validator that %s counts as a refusal', async (_what, validate) => {
    let ran = 0
    const tool = defineTool({
      name: 'act',
      description: '',
      inputSchema: { jsonSchema: { type: 'object' }, validate: untyped(validate) },
      run: () => ++ran,
    })
    const { told } = await runWith(tool)
    expect(told).toMatchObject([{ is_error: true, content: expect.stringContaining('Invalid input') }])
    expect(ran).toBe(0)
  })

  it('a schema that transforms gives the tool what comes out, and history what went in', async () => {
    const seen: unknown[] = []
    const tool = defineTool({
      name: 'act',
      description: '',
      inputSchema: z.object({ id: z.string().transform((id) => id.length), limit: z.number().default(3) }),
      run: (input) => seen.push(input),
    })
    const { events } = await runWith(tool)
    expect(seen).toEqual([{ id: 7, limit: 3 }])
    expect(only(events, 'tool.started')).toMatchObject([{ input: { id: 'toolu_1' } }])
  })

  it('carries the name of its toolset, and runs the calls of one toolset one after the other', async () => {
    let running = 0
    let most = 0
    const tool = toolOf({
      async run() {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        return 'ok'
      },
    })
    const ids = ['toolu_1', 'toolu_2', 'toolu_3']
    const toolset = { toolset_name: 'browser_20260801' }
    const script = [{ content: ids.map((id) => toolUse('act', { id }, { id, ...toolset })) }, { content: [text('x')] }]
    const { told } = await runWith(tool, script)
    expect(told).toMatchObject(ids.map((id) => ({ tool_use_id: id, ...toolset })))
    expect(most).toBe(1)
  })
})

describe('what a tool is given', () => {
  it('is its ids, a key that is the same for every execution of the call, and a fresh signal', async () => {
    const contexts: unknown[] = []
    const tool = toolOf({
      run(_input, { toolUseId, idempotencyKey, runId, turn, signal }) {
        contexts.push({ toolUseId, idempotencyKey, runId, turn, aborted: signal.aborted })
        return ''
      },
    })
    const claude = await claudeFor(calls('toolu_1', 'toolu_2'))
    await agentOn(claude, { tools: [tool] }).run({ messages: question, runId: 'run-7' }).result
    const context = { runId: 'run-7', turn: 1, aborted: false }
    expect(contexts).toEqual([
      { ...context, toolUseId: 'toolu_1', idempotencyKey: 'run-7:toolu_1' },
      { ...context, toolUseId: 'toolu_2', idempotencyKey: 'run-7:toolu_2' },
    ])
  })

  it('changes from turn to turn where tools are a function', async () => {
    const asked: number[] = []
    const claude = await claudeFor(calls('toolu_1'))
    let turn = 0
    const tools = (): readonly Tool[] =>
      asked.length >= 2 ? [] : [toolOf({ name: 'act', run: () => asked.push(++turn) })]
    const { outcome } = await agentOn(claude, { tools }).run({ messages: question }).result
    expect(outcome).toBe('completed')
    expect(asked).toEqual([1])
  })
})

describe('the definition that the API is sent', () => {
  it("holds name, description, schema and further fields; Claude's own tools only what is theirs", async () => {
    const own = defineTool({
      name: 'bash',
      description: 'x',
      inputSchema,
      definition: { type: 'bash_20250124' },
      run: () => '',
    })
    const cached = toolOf({ definition: { cache_control: { type: 'ephemeral' }, strict: true }, run: () => '' })
    const claude = await claudeFor([{ content: [text('x')] }])
    const server = { type: 'web_search_20260209' as const, name: 'web_search' as const }
    const agent = agentOn(claude, { tools: [own, cached], request: { ...request, tools: [server] } })
    await agent.run({ messages: question }).result
    expect(claude.requests[0]?.body?.['tools']).toEqual([
      { type: 'bash_20250124', name: 'bash' },
      {
        name: 'act',
        description: 'Acts',
        input_schema: { type: 'object' },
        cache_control: { type: 'ephemeral' },
        strict: true,
      },
      server,
    ])
  })
})
