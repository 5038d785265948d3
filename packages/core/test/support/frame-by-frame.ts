import Anthropic from '@anthropic-ai/sdk'
import type { ScriptedClaude } from '@millrace/testing'

/**
 * The real SDK against a scripted server, whose streams arrive one frame a read. `onRead` is called before each read,
 * when all frames before it have been taken in: `count` is how many there were, over all requests.
 */
export function frameByFrame(claude: Pick<ScriptedClaude, 'url'>, onRead: (count: number) => void): Anthropic {
  let count = 0
  const rechunked: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    const type = response.headers.get('content-type') ?? ''
    if (response.body === null || !type.startsWith('text/event-stream')) return response
    const frames = (await response.text()).split(/(?<=\n\n)/)
    const encoder = new TextEncoder()
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          onRead(count)
          const frame = frames.shift()
          if (frame === undefined) {
            controller.close()
            return
          }
          count += 1
          controller.enqueue(encoder.encode(frame))
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { status: response.status, headers: response.headers })
  }
  return new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0, fetch: rechunked })
}
