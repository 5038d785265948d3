import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { deltaText, readScenario, type Scenario, toolName, toolResult } from './scenario.ts'

// A server in the shape of the Messages API, as a process of its own, so that its work counts for nobody.

/** How many frames of an answer that is not paced go out in one write. */
const framesPerWrite = 20

interface Exchange {
  readonly id: string
  readonly scenario: Scenario
  readonly turn: number
}

const server = createServer((req, res) => {
  readBody(req).then(
    (body) => {
      const asked = readExchange(body)
      if (typeof asked === 'string') res.writeHead(400, { 'content-type': 'application/json' }).end(problem(asked))
      else answer(asked, res)
    },
    () => res.destroy(),
  )
})
// A connection that the server closes while its client uses it again would fail the bench.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 })
})
process.once('disconnect', () => process.exit())

async function readBody(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of req) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
  return JSON.parse(Buffer.concat(chunks).toString())
}

function problem(message: string): string {
  return JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message } })
}

/** The exchanges that a request may continue by the id of its message, as the SDK's tool runner does. */
const threads = new Map<string, Exchange>()
let lastId = 0

/** Reads what is asked for; a text says what is wrong with the request. */
function readExchange(body: unknown): Exchange | string {
  const messages: unknown = field(body, 'messages')
  if (!Array.isArray(messages)) return 'no messages'
  const [first = '', ...rest] = messages.map((message) => JSON.stringify(message))
  const before = String(field(field(body, 'thread'), 'previous_message_id'))
  const held = threads.get(before)
  threads.delete(before)
  const turn = held ? held.turn + 1 : rest.filter((message) => message.includes('"role":"assistant"')).length
  const scenario = held ? held.scenario : readScenario(first)
  for (let call = held ? turn - 1 : 0; call < turn; call++) {
    const result = toolResult(String(call))
    if (!messages.some((message) => JSON.stringify(message).includes(result))) return `no result of call ${call}`
  }
  const id = `msg_${++lastId}`
  const exchange = { id, scenario, turn }
  if (field(body, 'thread') !== undefined && turn < scenario.turns) threads.set(id, exchange)
  return exchange
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function answer({ id, scenario, turn }: Exchange, res: ServerResponse): void {
  const isLast = turn >= scenario.turns
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'req_bench' })
  const frames = framesOf(id, scenario, turn, isLast)
  if (scenario.every > 0) return paced(frames, scenario.every, res)
  send(frames, isLast && scenario.hangs, res)
}

function send(frames: Generator<string>, hangs: boolean, res: ServerResponse): void {
  let rest = true
  const write = (): void => {
    while (rest) {
      let text = ''
      for (let index = 0; index < framesPerWrite && rest; index++) {
        const { done, value } = frames.next()
        if (done === true) rest = false
        else text += value
      }
      if (text !== '' && !res.write(text)) return void res.once('drain', write)
    }
    if (!hangs) res.end()
  }
  write()
}

/** One timer for all paced streams of one pace, so that the upstream keeps it. */
const metronomes = new Map<number, Set<() => boolean>>()

function paced(frames: Generator<string>, every: number, res: ServerResponse): void {
  // What comes before the first delta is sent at once.
  for (let index = 0; index < 2; index++) res.write(frames.next().value ?? '')
  const beat = (): boolean => {
    const { done, value } = frames.next()
    if (done === true) res.end()
    else res.write(value)
    return done !== true && !res.destroyed
  }
  const beats = metronomes.get(every) ?? startMetronome(every)
  beats.add(beat)
}

function startMetronome(every: number): Set<() => boolean> {
  const beats = new Set<() => boolean>()
  metronomes.set(every, beats)
  setInterval(() => {
    for (const beat of beats) if (!beat()) beats.delete(beat)
  }, every)
  return beats
}

function* framesOf(id: string, { deltas, chars }: Scenario, turn: number, isLast: boolean): Generator<string> {
  const usage = { input_tokens: 10, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
  const message = { id, type: 'message', role: 'assistant', model: 'claude-sonnet-5-5', content: [] }
  yield frame({ type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } })
  yield frame({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
  for (let index = 0; index < deltas; index++) {
    const delta = { type: 'text_delta', text: deltaText(turn, index, chars) }
    yield frame({ type: 'content_block_delta', index: 0, delta })
  }
  yield frame({ type: 'content_block_stop', index: 0 })
  if (!isLast) {
    const call = { type: 'tool_use', id: `toolu_${turn}`, name: toolName, input: {} }
    yield frame({ type: 'content_block_start', index: 1, content_block: call })
    const delta = { type: 'input_json_delta', partial_json: JSON.stringify({ id: `${turn}` }) }
    yield frame({ type: 'content_block_delta', index: 1, delta })
    yield frame({ type: 'content_block_stop', index: 1 })
  }
  const stop_reason = isLast ? 'end_turn' : 'tool_use'
  yield frame({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: deltas } })
  yield frame({ type: 'message_stop' })
}

function frame(event: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}
