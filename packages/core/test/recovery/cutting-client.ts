import Anthropic from '@anthropic-ai/sdk'
import type { ScriptedClaude } from '@millrace/testing'
import { isRecord } from '../../src/kit/guards.ts'

/** An event of the stream, as it was sent. */
export type SentEvent = Readonly<Record<string, unknown>>

/**
 * The real SDK against a scripted server, whose first `times` streams are reset in front of the first event that
 * `isCut` says yes to.
 */
export function cuttingClient(
  claude: Pick<ScriptedClaude, 'url'>,
  isCut: (event: SentEvent) => boolean,
  times = 1,
): Anthropic {
  let left = times
  const cut: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    const type = response.headers.get('content-type') ?? ''
    if (response.body === null || !type.startsWith('text/event-stream') || left === 0) return response
    left -= 1
    const frames = (await response.text()).split(/(?<=\n\n)/)
    const end = frames.findIndex((frame) => isCut(readFrame(frame)))
    const whole = new TextEncoder().encode(frames.slice(0, end).join(''))
    const chunks = [whole]
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = chunks.pop()
        if (chunk === undefined) controller.error(Object.assign(new TypeError('terminated'), { code: 'ECONNRESET' }))
        else controller.enqueue(chunk)
      },
    })
    return new Response(body, { status: response.status, headers: response.headers })
  }
  return new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0, fetch: cut })
}

function readFrame(frame: string): SentEvent {
  const data = /^data: (.*)$/m.exec(frame)?.[1] ?? '{}'
  const event: unknown = JSON.parse(data)
  return isRecord(event) ? event : {}
}

/** All blocks have arrived, and the stop reason has not. */
export const beforeStopReason = ({ type }: SentEvent): boolean => type === 'message_delta'

/** In front of the end of this block. */
export const beforeStopOf =
  (block: number) =>
  ({ type, index }: SentEvent): boolean =>
    type === 'content_block_stop' && index === block
