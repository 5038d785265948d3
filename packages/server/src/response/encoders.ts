import { ndjsonEncoder, type RunFormat, sseEncoder, type StreamEncoder } from '@millrace/wire'
import { agUiEncoder, type AgUiOptions } from '@millrace/wire/ag-ui'
import { uiMessageStreamEncoder, type UiMessageStreamOptions } from '@millrace/wire/ui-message-stream'

/** A format that is a stream of events. */
export type StreamFormat = Exclude<RunFormat, 'json'>

export interface EncoderOptions {
  /** Send signatures and other raw content as well, in the formats that have a place for it. Default: false. */
  readonly rawContent?: boolean
  readonly uiMessageStream?: UiMessageStreamOptions
  /** What an AG-UI client calls its conversation and its run, and what it shows. */
  readonly agUi?: AgUiOptions | undefined
}

/** Creates an encoder for one response. */
export function createEncoder(format: StreamFormat, options: EncoderOptions): StreamEncoder {
  const { rawContent = false, uiMessageStream = {}, agUi = {} } = options
  switch (format) {
    case 'sse':
      return sseEncoder({ rawContent })
    case 'ndjson':
      return ndjsonEncoder({ rawContent })
    case 'ui-message-stream':
      return uiMessageStreamEncoder(uiMessageStream)
    case 'ag-ui':
      return agUiEncoder(agUi)
  }
}

/** Whether a client of this format can come back with a cursor. The others must be given the whole run again. */
export function hasCursor(format: RunFormat): boolean {
  return format === 'sse' || format === 'ndjson'
}
