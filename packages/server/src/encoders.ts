import { ndjsonEncoder, type RunFormat, sseEncoder, type StreamEncoder } from '@millrace/wire'

/** A format that is a stream of events. */
export type StreamFormat = Exclude<RunFormat, 'json'>

export interface EncoderOptions {
  readonly rawContent?: boolean
  /** The names that a foreign client has for its conversation and its run. */
  readonly foreign?: { readonly threadId: string; readonly runId?: string } | undefined
}

/** An encoder for one response. */
export function createEncoder(format: StreamFormat, { rawContent = false }: EncoderOptions): StreamEncoder {
  switch (format) {
    case 'sse':
      return sseEncoder({ rawContent })
    case 'ndjson':
      return ndjsonEncoder({ rawContent })
    case 'ui-message-stream':
    case 'ag-ui':
      throw new TypeError('not there yet')
  }
}

/** Whether a client of this format can come back with a cursor. The others must be given the whole run again. */
export function hasCursor(format: RunFormat): boolean {
  return format === 'sse' || format === 'ndjson'
}
