import { MillraceError } from '@millrace/core'
import type { RequestWatch } from './request-watch.ts'

/**
 * Reads a body as text, while the watch allows it.
 *
 * @throws MillraceError `buffer_overflow` beyond `maxChars`; whatever the body fails with
 */
export async function readText(response: Response, maxChars: number, watch: RequestWatch): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await watch.race(reader.read())
      if (done) return text + decoder.decode()
      text += decoder.decode(value, { stream: true })
      if (text.length > maxChars) {
        throw new MillraceError('buffer_overflow', `the answer has more than ${maxChars} characters`)
      }
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}
