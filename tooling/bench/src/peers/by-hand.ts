import { Agent, type IncomingMessage, request } from 'node:http'
import { toolResult } from '../scenario.ts'
import { idOf, maxTokens, model, type Peer, route, toolParam, write } from './peer.ts'

const agent = new Agent({ keepAlive: true })

function ask(upstream: string, messages: readonly unknown[], signal: AbortSignal): Promise<IncomingMessage> {
  const body = JSON.stringify({ model, max_tokens: maxTokens, stream: true, messages, tools: [toolParam] })
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-api-key': 'any',
    }
    const req = request(`${upstream}/v1/messages`, { method: 'POST', agent, headers, signal }, resolve)
    req.on('error', reject)
    req.end(body)
  })
}

/** Passes the bytes on and reads nothing: what a proxy costs. It has no tools. */
export const bytePipe: Peer = (upstream) =>
  route(async (input, res, signal) => {
    const answer = await ask(upstream, [{ role: 'user', content: input }], signal)
    answer.pipe(res)
    await new Promise((resolve) => answer.once('close', resolve))
  })

/** The least that a loop by hand needs: events split at blank lines, deltas sent as they come, blocks kept for the next turn. */
export const byHand: Peer = (upstream) =>
  route(async (input, res, signal) => {
    const messages: unknown[] = [{ role: 'user', content: input }]
    for (;;) {
      const answer = await ask(upstream, messages, signal)
      const content = await readAnswer(answer, (text) => write(res, `data: ${JSON.stringify({ text })}\n\n`))
      const calls = content.filter(({ type }) => type === 'tool_use')
      if (calls.length === 0) break
      const results = calls.map(({ id, input }) => ({
        type: 'tool_result',
        tool_use_id: id,
        content: toolResult(idOf(input)),
      }))
      messages.push({ role: 'assistant', content }, { role: 'user', content: results })
    }
    res.end()
  })

interface Block {
  readonly type: string
  readonly id?: string
  text?: string
  input?: unknown
}

interface StreamEvent {
  readonly type: string
  readonly index: number
  readonly content_block: Block
  readonly delta: { readonly text?: string; readonly partial_json?: string }
}

/** Trusts the API, as code by hand does: nothing is checked. */
async function readAnswer(answer: IncomingMessage, onText: (text: string) => Promise<void>): Promise<Block[]> {
  const blocks: Block[] = []
  const json: string[] = []
  let rest = ''
  for await (const chunk of answer.setEncoding('utf8')) {
    const frames = (rest + String(chunk)).split('\n\n')
    rest = frames.pop() ?? ''
    for (const frame of frames) {
      const event: StreamEvent = JSON.parse(frame.slice(frame.indexOf('data: ') + 6))
      if (event.type === 'content_block_start') blocks[event.index] = event.content_block
      if (event.type !== 'content_block_delta') continue
      const { text, partial_json } = event.delta
      const block = blocks[event.index]
      if (partial_json !== undefined) json[event.index] = (json[event.index] ?? '') + partial_json
      if (text === undefined || block === undefined) continue
      block.text = (block.text ?? '') + text
      await onText(text)
    }
  }
  for (const [index, block] of blocks.entries()) if (json[index] !== undefined) block.input = JSON.parse(json[index])
  return blocks
}
