/** The part of an output stream that tells when it can take more. */
export interface Drainable {
  readonly writableNeedDrain?: boolean
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** Resolves when the stream can take more, or is closed and never will. */
export async function drained(output: Drainable): Promise<void> {
  if (output.writableNeedDrain !== true) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      output.off('drain', done)
      output.off('close', done)
      resolve()
    }
    output.once('drain', done)
    output.once('close', done)
  })
}
