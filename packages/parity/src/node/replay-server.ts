import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ReplayPlace } from '../compare/compare-cassette.ts'
import type { ReplayModel } from '../replay/replay-model.ts'
import { closeServer, listenLocally } from './listen.ts'

/**
 * Serves a replayed model on 127.0.0.1, for the `place` of `compareCassette`. Each chunk is a write of its own to a
 * real socket. Rejects with a ParityError `listen_failed`.
 */
export async function replayServer(model: ReplayModel): Promise<ReplayPlace> {
  const server = createServer((request, response) => {
    serve(model, request, response).catch(() => response.destroy())
  })
  const baseURL = await listenLocally(server)
  return { baseURL, fetch: globalThis.fetch, close: () => closeServer(server) }
}

async function serve(model: ReplayModel, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Uint8Array[] = []
  for await (const piece of request) if (piece instanceof Uint8Array) pieces.push(piece)
  const answer = model.answer(Buffer.concat(pieces).toString('utf8'))
  if (answer === undefined) {
    response.destroy()
    return
  }
  response.writeHead(answer.status, answer.headers)
  response.socket?.setNoDelay(true)
  for (const chunk of answer.chunks) {
    if (response.destroyed) return
    if (!response.write(chunk)) await drained(response)
  }
  response.end()
}

/** Resolves when the socket takes more, or is gone. */
async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      response.off('drain', settle)
      response.off('close', settle)
      resolve()
    }
    response.on('drain', settle)
    response.on('close', settle)
  })
}
