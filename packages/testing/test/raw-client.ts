import { connect } from 'node:net'

export interface RawAnswer {
  /** Everything that arrived, as it arrived. */
  readonly raw: Buffer
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body without its chunk framing. */
  readonly body: Buffer
  /** Whether the chunk of length zero arrived. */
  readonly isTerminated: boolean
  /** Bytes of a last chunk that were announced and did not arrive. */
  readonly missing: number
  /** How the connection ended: FIN, RST, or `open` where the client stopped listening. */
  readonly ending: 'fin' | 'rst' | 'open'
}

/**
 * Sends one POST over a plain socket and reads until the server closes, the body is whole, or `until` says enough. No
 * HTTP library lies between the test and the bytes.
 */
export function rawPost(port: number, body: string, until: (raw: Buffer) => boolean = () => false): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    const done = (ending: RawAnswer['ending']): void => {
      resolve(parse(Buffer.concat(chunks), ending))
      socket.destroy()
    }
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const raw = Buffer.concat(chunks)
      if (until(raw) || parse(raw, 'open').isTerminated) done('open')
    })
    socket.on('error', () => done('rst'))
    socket.on('end', () => done('fin'))
    const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: ${Buffer.byteLength(body)}`
    socket.write(`${head}\r\n\r\n${body}`)
  })
}

function parse(raw: Buffer, ending: RawAnswer['ending']): RawAnswer {
  const headEnd = raw.indexOf('\r\n\r\n')
  const head = raw.subarray(0, Math.max(0, headEnd)).toString()
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(': ')[0]?.toLowerCase() ?? '', line.split(': ')[1] ?? '']),
  )
  const answer = { raw, status: Number(statusLine.split(' ')[1] ?? 0), headers, ending }
  const rest = headEnd === -1 ? Buffer.alloc(0) : raw.subarray(headEnd + 4)
  if (headers['transfer-encoding'] !== 'chunked') {
    const missing = Number(headers['content-length'] ?? 0) - rest.length
    return { ...answer, body: rest, isTerminated: headEnd !== -1 && missing === 0, missing }
  }
  const body: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd === -1) return { ...answer, body: Buffer.concat(body), isTerminated: false, missing: 0 }
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString(), 16)
    if (size === 0) return { ...answer, body: Buffer.concat(body), isTerminated: true, missing: 0 }
    const chunk = rest.subarray(lineEnd + 2, lineEnd + 2 + size)
    body.push(chunk)
    if (chunk.length < size) {
      return { ...answer, body: Buffer.concat(body), isTerminated: false, missing: size - chunk.length }
    }
    at = lineEnd + 2 + size + 2
  }
}
