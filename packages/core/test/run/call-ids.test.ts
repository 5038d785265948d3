import { validateMessages } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { createAgent, defineTool, type Message, type RequestBody, type RunResult, type Tool } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { event, jsonAnswer, type RawAnswer, rawModel } from '../support/raw-model.ts'
import { eventsOf, only, request } from '../support/scripted.ts'

const question: readonly Message[] = [{ role: 'user', content: 'Reserve all of it' }]

type Block = Readonly<Record<string, unknown>>
type Answer = readonly Block[]

const call = (sku: string, id: unknown = 'call_0'): Block => ({ type: 'tool_use', id, name: 'reserve', input: { sku } })
const search = (query: string): Block => ({
  type: 'server_tool_use',
  id: 'srvtoolu_0',
  name: 'web_search',
  input: { query },
})
const found = (what: string): Block => ({
  type: 'web_search_tool_result',
  tool_use_id: 'srvtoolu_0',
  content: [{ type: 'web_search_result', url: `https://example.com/${what}`, title: what, encrypted_content: 'x' }],
})

/** The answers of a gateway that counts the calls of each answer from 0, or that gives all of them one id. */
const conversations: Readonly<Record<string, readonly Answer[]>> = {
  'two calls of one answer': [[call('lamp'), call('desk')]],
  'calls of two answers': [[call('lamp')], [call('desk')], [call('chair')]],
  'calls whose ids look like rewritten ones': [[call('lamp'), call('desk'), call('chair', 'call_0_2')], [call('bed')]],
  'calls without an id': [[call('lamp', ''), call('desk', undefined)], [call('chair', '')]],
  'server tools, one after the other': [[search('a'), found('a'), search('b'), found('b'), call('lamp')]],
  'server tools, side by side': [
    [search('a'), search('b'), found('a'), found('b')],
    [search('c'), found('c')],
  ],
  'a server tool and a tool of ours': [
    [{ ...search('a'), id: 'call_0' }, { ...found('a'), tool_use_id: 'call_0' }, call('lamp')],
  ],
}

function streamOf(content: Answer, stopReason: string): RawAnswer {
  const blocks = content.flatMap((block, index) => {
    const { input, ...rest } = block
    if (input === undefined) return [event.block(index, block), event.stop(index)]
    return [event.block(index, { ...rest, input: {} }), event.json(index, JSON.stringify(input)), event.stop(index)]
  })
  return { events: [event.start(), ...blocks, event.end(stopReason), event.close] }
}

/** Answers by how many answers the request already holds. */
function modelOf(answers: readonly Answer[]) {
  return rawModel((body: RequestBody) => {
    const made = body.messages.filter(({ role }) => role === 'assistant').length
    const content = answers[made] ?? [{ type: 'text', text: 'Done.' }]
    const pauses = content.length > 0 && content.every(({ type }) => type !== 'tool_use') && made < answers.length
    const stopReason = pauses ? 'pause_turn' : made < answers.length ? 'tool_use' : 'end_turn'
    return body['stream'] === true ? streamOf(content, stopReason) : jsonAnswer(content, stopReason)
  })
}

interface Made {
  readonly sku: string
  readonly key: string
}

function reserving(made: Made[]): Tool {
  return defineTool({
    name: 'reserve',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    run(input, { idempotencyKey }) {
      const sku = String(Reflect.get(Object(input), 'sku'))
      made.push({ sku, key: idempotencyKey })
      return `reserved ${sku}`
    },
  })
}

const blocksOf = (messages: readonly Message[]): Block[] =>
  messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content.map((block) => ({ ...block }))))

const idsOf = (messages: readonly Message[]): unknown[] =>
  blocksOf(messages)
    .filter(({ type }) => String(type).endsWith('tool_use'))
    .map(({ id }) => id)

/** Each result stands behind its own call. */
function expectPaired({ messages }: RunResult, made: readonly Made[]): void {
  expect(validateMessages([...messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  const ids = idsOf(messages)
  expect(new Set(ids).size).toBe(ids.length)
  expect(new Set(made.map(({ key }) => key)).size).toBe(made.length)
  const blocks = blocksOf(messages)
  for (const { type, tool_use_id: of, content } of blocks.filter(({ tool_use_id }) => tool_use_id !== undefined)) {
    const input = Object(blocks.find(({ id }) => id === of)?.['input'])
    const expected = type === 'tool_result' ? `reserved ${Reflect.get(input, 'sku')}` : Reflect.get(input, 'query')
    expect(Array.isArray(content) ? content[0].title : content).toBe(expected)
  }
}

describe.each(Object.entries(conversations))('ids that come twice: %s', (_name, answers) => {
  it('are unique in history and events, alike with streaming and without', async () => {
    const results: RunResult[] = []
    for (const mode of ['stream', 'buffered'] as const) {
      const made: Made[] = []
      const { client, requests } = modelOf(answers)
      const run = createAgent({ client, request, tools: [reserving(made)] }).run({ messages: question, mode })
      const events = await eventsOf(run)
      const result = await run.result
      expect(result).toMatchObject({ outcome: 'completed', text: 'Done.' })
      expectPaired(result, made)
      for (const { messages } of requests)
        expect(validateMessages([...messages, { role: 'user', content: 'Go on' }])).toBeUndefined()

      const started = only(events, 'tool.started').map(({ toolUseId }) => toolUseId)
      expect(new Set(started).size).toBe(made.length)
      expect(only(events, 'tool.finished').map(({ toolUseId }) => toolUseId)).toEqual(started)
      expect([...new Set(only(events, 'tool.input').map(({ toolUseId }) => toolUseId))]).toEqual(idsOf(result.messages))
      expect(only(events, 'turn.finished').flatMap(({ content }) => content)).toEqual(
        blocksOf(result.newMessages.filter(({ role }) => role === 'assistant')),
      )
      results.push(result)
    }
    expect(results[0]?.messages).toEqual(results[1]?.messages)
  })

  it('are the same after a takeover at any event, and no call runs with two keys', async () => {
    const runId = 'run-1'
    const before: Made[] = []
    const { client } = modelOf(answers)
    const whole = createAgent({ client, request, tools: [reserving(before)] }).run({ messages: question, runId })
    const events = await eventsOf(whole)
    const { messages } = await whole.result
    for (let cut = 1; cut < events.length; cut++) {
      const clock = manualClock()
      const store = memoryRunStore({ clock })
      await store.create({ runId, messages: question, createdAt: clock.now() }, 1)
      await store.append(runId, 1, events.slice(0, cut))
      clock.advance(1)
      const after: Made[] = []
      const tool: Tool = { ...reserving(after), idempotent: true }
      const agent = createAgent({ client, request, tools: [tool], journal: runJournal(store), runtime: { clock } })
      const taken = await agent.resume(runId)
      if (taken.status !== 'resumed') throw new Error(taken.status)
      expect((await taken.run.result).messages, `after event ${cut}`).toEqual(messages)
      for (const { sku, key } of after) expect(before, `after event ${cut}`).toContainEqual({ sku, key })
    }
  })
})

it('an id of the given conversation is not used again', async () => {
  const earlier = [
    ...question,
    { role: 'assistant', content: [call('lamp')] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_0', content: 'reserved lamp' }] },
  ]
  const messages: unknown = earlier
  const made: Made[] = []
  const { client } = rawModel((_body, count) =>
    count === 1 ? jsonAnswer([call('desk')], 'tool_use') : jsonAnswer([{ type: 'text', text: 'Done.' }], 'end_turn'),
  )
  const agent = createAgent({ client, request, tools: [reserving(made)] })
  const result = await Reflect.apply(agent.run, agent, [{ messages, mode: 'buffered', runId: 'run-1' }]).result
  expectPaired(result, made)
  expect(made).toEqual([{ sku: 'desk', key: 'run-1:call_0_2' }])
})

it('a call of code on the server names the call that its code belongs to', async () => {
  const code = { type: 'server_tool_use', id: 'srvtoolu_0', name: 'code_execution', input: { code: 'x' } }
  const done = {
    type: 'code_execution_tool_result',
    tool_use_id: 'srvtoolu_0',
    content: { type: 'code_execution_result' },
  }
  const byCode = { ...call('lamp'), caller: { type: 'code_execution_20260120', tool_id: 'srvtoolu_0' } }
  const answers = [
    [code, done, code, byCode],
    [
      { ...done, tool_use_id: 'srvtoolu_0_2' },
      { type: 'text', text: 'Done.' },
    ],
  ]
  const { client } = rawModel((_body, count) =>
    jsonAnswer(answers[count - 1] ?? [], count === 1 ? 'tool_use' : 'end_turn'),
  )
  const agent = createAgent({ client, request, tools: [reserving([])] })
  const { messages } = await agent.run({ messages: question, mode: 'buffered' }).result
  expect(validateMessages([...messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  expect(blocksOf(messages)).toMatchObject([
    { id: 'srvtoolu_0' },
    { tool_use_id: 'srvtoolu_0' },
    { id: 'srvtoolu_0_2' },
    { id: 'call_0', caller: { tool_id: 'srvtoolu_0_2' } },
    { tool_use_id: 'call_0' },
    { tool_use_id: 'srvtoolu_0_2' },
    { type: 'text' },
  ])
})

it('a start event that comes again, or repeats a prefilled one, is still the same block', async () => {
  const one = call('lamp')
  const twice = [
    event.start(),
    event.block(0, one),
    event.block(0, one),
    event.stop(0),
    event.end('tool_use'),
    event.close,
  ]
  const again = [
    event.start({ content: [one] }),
    event.block(0, one),
    event.stop(0),
    event.end('tool_use'),
    event.close,
  ]
  const made: Made[] = []
  const { client } = rawModel((_body, count) =>
    count <= 2 ? { events: count === 1 ? twice : again } : streamOf([{ type: 'text', text: 'Done.' }], 'end_turn'),
  )
  const agent = createAgent({ client, request, tools: [reserving(made)] })
  expectPaired(await agent.run({ messages: question, runId: 'run-1' }).result, made)
  expect(made.map(({ key }) => key)).toEqual(['run-1:call_0', 'run-1:call_0_2'])
})
