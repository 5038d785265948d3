import { fault } from '@millrace/core/recovery'
import { join } from '../stream/frame-reader.ts'

/**
 * Reads a body whose length upstream decides.
 *
 * @throws MillraceError `buffer_overflow` for one of more than `maxBytes`, `connection_lost` for one that breaks off
 */
export async function readText({ body }: Response, maxBytes: number): Promise<string> {
  if (body === null) return ''
  const reader = body.getReader()
  const pieces: Uint8Array[] = []
  let length = 0
  while (true) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw fault('connection_lost', { cause })
    })
    if (done) return new TextDecoder().decode(join(pieces))
    pieces.push(value)
    length += value.length
    if (length <= maxBytes) continue
    await reader.cancel().catch(() => {})
    throw fault('buffer_overflow')
  }
}
