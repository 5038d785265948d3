import type { Fetch } from '../record/recording-fetch.ts'
import type { ReplayModel } from './replay-model.ts'

/** Returns a fetch that asks a replayed model in this process, so that chunks arrive exactly as they were cut. */
export function replayFetch(model: ReplayModel): Fetch {
  return (_input, init) => {
    const answer = model.answer(typeof init?.body === 'string' ? init.body : '')
    // Fetch rejects like this if no connection can be made.
    if (answer === undefined) return Promise.reject(new TypeError('fetch failed'))
    const chunks = answer.chunks[Symbol.iterator]()
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const { done, value } = chunks.next()
          if (done === true) controller.close()
          else controller.enqueue(value)
        },
        cancel() {
          chunks.return?.()
        },
      },
      { highWaterMark: 0 },
    )
    return Promise.resolve(new Response(body, { status: answer.status, headers: answer.headers }))
  }
}
