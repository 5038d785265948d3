import { type Messages, sdkLoop } from '@millrace/faults/sdk-loop'
import type { LoopUnderTest } from '@millrace/testing'
import { createFetch, type Fetch } from '../../src/index.ts'

/** The loop of the SDK with `createFetch` under it. Its time is that of the job. */
export const recoveredSdkLoop: LoopUnderTest = sdkLoop({
  // Each ping would be a step of a clock that stands still, and cost the time of the test.
  fetch: ({ clock }) => createFetch({ runtime: { clock }, limits: { pingInterval: 3_600_000 } }),
  sentUp,
})

/** Returns the messages as the next request would bring them to the API. */
async function sentUp(messages: Messages): Promise<Messages> {
  const last = messages.at(-1)
  const asked: Messages = last?.role === 'user' ? messages : [...messages, { role: 'user', content: 'And now?' }]
  let body: { messages: Messages } = { messages }
  const capture: Fetch = async (_, init) => {
    body = JSON.parse(String(init?.body))
    return Response.json(
      { type: 'error', error: { type: 'invalid_request_error', message: 'captured' } },
      { status: 400 },
    )
  }
  await createFetch({ fetch: capture })('http://localhost/v1/messages', {
    method: 'POST',
    body: JSON.stringify({ model: 'any', max_tokens: 1, stream: true, messages: asked }),
  })
  return last?.role === 'user' ? body.messages : body.messages.slice(0, -1)
}
