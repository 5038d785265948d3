/** The part of a readable stream that is used here. */
interface ByteStream {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  on(event: 'end', listener: () => void): unknown
}

/** Passes the bytes of a stream to `onText` as UTF-8 text. A character cut between two chunks arrives whole, with the second. */
export function decodeText(stream: ByteStream, onText: (text: string) => void): void {
  const decoder = new TextDecoder()
  const pass = (text: string): void => {
    if (text !== '') onText(text)
  }
  stream.on('data', (chunk) => pass(decoder.decode(chunk, { stream: true })))
  stream.on('end', () => pass(decoder.decode()))
}
