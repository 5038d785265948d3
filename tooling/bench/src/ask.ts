import { Agent, type IncomingMessage, request } from 'node:http'
import { expectedText, readScenario } from './scenario.ts'

/** The client of a peer: it reads the response and parses nothing while it is timed. */
export interface Answer {
  /** Milliseconds until the first text was there. */
  readonly firstText: number
  readonly bytes: number
  readonly body: string
}

const agent = new Agent({ keepAlive: true })

export function openStream(url: string, input: string): Promise<IncomingMessage> {
  const body = JSON.stringify({ input })
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream' }
    const req = request(`${url}/runs`, { method: 'POST', agent, headers }, resolve)
    req.on('error', reject)
    req.end(body)
  })
}

export async function ask(url: string, input: string): Promise<Answer> {
  const start = performance.now()
  const res = await openStream(url, input)
  const chunks: Buffer[] = []
  let firstText = Number.NaN
  let bytes = 0
  for await (const chunk of res) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    chunks.push(chunk)
    // The upstream's texts begin with the numbers of turn and delta.
    if (Number.isNaN(firstText) && chunk.includes('0.0 ')) firstText = performance.now() - start
  }
  return { firstText, bytes, body: Buffer.concat(chunks).toString() }
}

/** Throws unless the text in the response is what the upstream has said, in all turns. */
export function verify(name: string, input: string, { body }: Answer): void {
  const expected = expectedText(readScenario(input))
  const text = body
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => textIn(JSON.parse(line.slice(6))))
    .join('')
  if (text !== expected) {
    throw new Error(`${name} gave ${text.length} characters instead of ${expected.length}: ${body.slice(-300)}`)
  }
}

/** The text of an event in whatever form a peer sends. */
function textIn(event: unknown): string {
  if (typeof event !== 'object' || event === null) return ''
  const type: unknown = Reflect.get(event, 'type')
  if (type === 'content_block_delta') {
    const delta: unknown = Reflect.get(event, 'delta')
    return textIn(delta)
  }
  if (type === 'text-delta') return String(Reflect.get(event, 'delta'))
  const text: unknown = Reflect.get(event, 'text')
  // A delta of Millrace that follows another one is its text alone.
  const hasText = type === undefined || type === 'text.delta' || type === 'text_delta'
  return hasText && typeof text === 'string' ? text : ''
}
