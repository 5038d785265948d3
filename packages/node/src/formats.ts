import { MillraceError } from '@millrace/core'
import type { StreamFormat } from '@millrace/server'

export const streamFormats: readonly StreamFormat[] = ['sse', 'ndjson', 'ui-message-stream', 'ag-ui']

export function refuseFormat(known: readonly string[]): never {
  throw new MillraceError('invalid_option', `format must be one of ${known.join(', ')}`, { path: 'format' })
}
