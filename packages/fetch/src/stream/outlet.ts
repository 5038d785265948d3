import { join } from './frame-reader.ts'

/** The body that the client reads. Nothing is read upstream while the client does not read. */
export interface Outlet {
  readonly body: ReadableStream<Uint8Array>
  /** Takes bytes, which go out with the next `flush`. */
  write(bytes: Uint8Array): void
  /** Sends what was written, as one chunk. */
  flush(): void
  /** Undefined if the client waits for bytes; else resolves once it does. */
  ready(): Promise<void> | undefined
  /** Whether the client waits for bytes. */
  readonly isWanted: boolean
  close(): void
  fail(reason: unknown): void
}

/** @param cancelled called when the client lets go of the body */
export function createOutlet(cancelled: (reason: unknown) => void): Outlet {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let isWanted = false
  let isOpen = true
  let wake: (() => void) | undefined
  let written: Uint8Array[] = []

  function letGo(): void {
    isOpen = false
    isWanted = true
    wake?.()
    wake = undefined
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
      },
      pull() {
        isWanted = true
        wake?.()
        wake = undefined
      },
      cancel(reason) {
        letGo()
        cancelled(reason)
      },
    },
    // No chunk is fetched ahead of the client: it alone says when there is to be more.
    { highWaterMark: 0 },
  )

  function flush(): void {
    if (written.length === 0) return
    const bytes = merge(written)
    written = []
    if (!isOpen) return
    isWanted = false
    controller?.enqueue(bytes)
  }

  return {
    body,
    write: (bytes) => void written.push(bytes),
    flush,
    ready() {
      if (isWanted) return undefined
      return new Promise((resolve) => {
        wake = resolve
      })
    },
    get isWanted() {
      return isOpen && isWanted
    },
    close() {
      flush()
      if (!isOpen) return
      letGo()
      controller?.close()
    },
    fail(reason) {
      if (!isOpen) return
      letGo()
      controller?.error(reason)
    },
  }
}

/** Returns the pieces as one array: the very memory they came in, where they lie one behind the other. */
function merge(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  if (first === undefined) return new Uint8Array(0)
  let end = first.byteOffset
  for (const piece of pieces) {
    if (piece.buffer !== first.buffer || piece.byteOffset !== end) return join(pieces)
    end += piece.length
  }
  return pieces.length === 1 ? first : new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset)
}
