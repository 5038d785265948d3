import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type ContentBlock, createAgent, type RunResult } from '../../src/index.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import { type Exchange, manualModel, settled } from './manual-model.ts'
import { screenOf } from './screen.ts'

const text = (words: string): ContentBlock => ({ type: 'text', text: words })
const thinking: ContentBlock = { type: 'thinking', thinking: 'Hm.', signature: 's' }
const search: ContentBlock = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'x' } }
const found: ContentBlock = { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }

/** Whole answers in which text blocks are blank. */
const answers: Readonly<Record<string, readonly ContentBlock[]>> = {
  'between cited text': [text('One.'), text('\n\n'), text('Two.'), text(' '), text('Three.')],
  'before everything': [text('\n\n'), text('One.')],
  'before thinking': [text('\n\n'), thinking, text('One.')],
  'before a search': [text('\n'), search, found, text('\n'), text('One.'), text('\n')],
  'behind everything': [text('One.'), text('\n\n')],
  'and empty': [text('One.'), text(''), text('\n'), text('Two.')],
  'beside blank beginnings': [text('\n\nOne.'), text('\n'), text('  Two.')],
}

const consumers = {
  'events alone': {},
  'callbacks that retract': { callbacks: { onText() {}, onRetract() {} } },
  'retraction "continue"': { retraction: 'continue' },
  'retraction "fail"': { retraction: 'fail' },
  'retraction "hold"': { retraction: 'hold' },
} as const

const whole = (content: readonly ContentBlock[]): string =>
  content.map((block) => (typeof block['text'] === 'string' ? block['text'] : '')).join('')

function withoutBlanks(content: readonly ContentBlock[]): readonly ContentBlock[] {
  return content.filter((block) => typeof block['text'] !== 'string' || block['text'].trim() !== '')
}

/** Streams the first `count` events of an answer. */
function stream(exchange: Exchange, content: readonly ContentBlock[], count = Infinity): void {
  const events: Parameters<Exchange['send']>[0][] = [
    { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', content: [], usage: {} } },
  ]
  for (const [index, block] of content.entries()) {
    const { text: words, thinking: thought, signature, ...rest } = block
    const start = { ...rest, ...(words !== undefined && { text: '' }), ...(thought !== undefined && { thinking: '' }) }
    events.push({ type: 'content_block_start', index, content_block: start })
    const delta = (fields: object): void => void events.push({ type: 'content_block_delta', index, delta: fields })
    for (const letter of String(words ?? '')) delta({ type: 'text_delta', text: letter })
    if (thought !== undefined) delta({ type: 'thinking_delta', thinking: thought })
    if (signature !== undefined) delta({ type: 'signature_delta', signature })
    events.push({ type: 'content_block_stop', index })
  }
  events.push({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: {} }, { type: 'message_stop' })
  for (const event of events.slice(0, count)) exchange.send(event)
}

const cases = Object.keys(answers).flatMap((where) => Object.keys(consumers).map((name) => [where, name] as const))

function inputOf(consumer: string): object {
  const found = Object.entries(consumers).find(([name]) => name === consumer)
  return found?.[1] ?? {}
}

describe('blank text', () => {
  it.each(cases)('%s is shown, and in the text, to %s', async (where, consumer) => {
    const content = answers[where] ?? []
    const results: RunResult[] = []
    for (const mode of ['stream', 'buffered'] as const) {
      const model = manualModel()
      const agent = createAgent({ client: model.client, request, runtime: { clock: manualClock() } })
      const run = agent.run({ messages: question, mode, ...inputOf(consumer) })
      const collected = eventsOf(run)
      const exchange = await model.exchange(0)
      if (mode === 'stream') stream(exchange, content)
      else exchange.answer(content)
      exchange.end()
      const result = await run.result
      const events = await collected
      expect(screenOf(events).problems).toEqual([])
      expect(screenOf(events).text()).toBe(whole(content))
      expect(result).toMatchObject({ outcome: 'completed', text: whole(content) })
      expect(only(events, 'turn.retracted')).toEqual([])
      // What goes back to the API is without it.
      expect(result.newMessages).toEqual([{ role: 'assistant', content: withoutBlanks(content) }])
      expect(only(events, 'turn.finished')[0]?.content).toEqual(withoutBlanks(content))
      results.push({ ...result, runId: '', usage: { input_tokens: 0, output_tokens: 0 } })
    }
    expect(results[0]).toEqual(results[1])
  })

  it('does not bind a turn: one that breaks behind it is asked again', async () => {
    let screen = ''
    const model = manualModel()
    const agent = createAgent({
      client: model.client,
      request,
      recovery: { backoff: 0 },
      runtime: { clock: manualClock() },
    })
    const run = agent.run({
      messages: question,
      mode: 'stream',
      callbacks: { onText: (words) => void (screen += words) },
    })
    const collected = eventsOf(run)
    const first = await model.exchange(0)
    stream(first, [text('\n\n'), thinking, text('  x')], 10)
    await settled()
    first.fail(new TypeError('terminated'))
    const second = await model.exchange(1)
    stream(second, [text('Hello.'), text('\n'), text('You.')])
    second.end()
    const { text: said } = await run.result
    expect([screen, said]).toEqual(['Hello.\nYou.', 'Hello.\nYou.'])
    expect(only(await collected, 'turn.retracted').filter(({ fromOffset }) => fromOffset > 0)).toEqual([])
    expect(model.exchanges[1]?.body.messages).toEqual(question)
  })
})
