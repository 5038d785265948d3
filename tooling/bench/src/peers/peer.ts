import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { toolName } from '../scenario.ts'

/** A server that answers `POST /runs`, a JSON body with the user's text in `input`, with a stream of server-sent events. */
export type Peer = (upstream: string) => RequestListener

/** Makes a peer of a function that answers one text, as a hand-written route would. `signal` aborts when the client leaves. */
export function route(
  answer: (input: string, res: ServerResponse, signal: AbortSignal) => Promise<void>,
): RequestListener {
  return (req, res) => {
    readInput(req)
      .then((input) => {
        res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
        const leaving = new AbortController()
        res.once('close', () => {
          if (!res.writableFinished) leaving.abort()
        })
        return answer(input, res, leaving.signal)
      })
      .catch((error: unknown) => {
        if (!res.destroyed) console.error(error)
        res.destroy()
      })
  }
}

async function readInput(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
  return typeof body === 'object' && body !== null && 'input' in body ? String(body.input) : ''
}

/** Writes a text, and waits where the client is behind. */
export async function write(res: ServerResponse, text: string | Uint8Array): Promise<void> {
  if (res.write(text) || res.destroyed) return
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      res.off('drain', settle).off('close', settle)
      resolve()
    }
    res.once('drain', settle).once('close', settle)
  })
}

export const model = 'claude-sonnet-5-5'
export const maxTokens = 64_000

/** The tool, as the Messages API takes it. */
export const toolParam = {
  name: toolName,
  description: 'Looks up an order.',
  input_schema: { type: 'object' as const, properties: { id: { type: 'string' } }, required: ['id'] },
}

export function idOf(input: unknown): string {
  return typeof input === 'object' && input !== null && 'id' in input ? String(input.id) : ''
}
