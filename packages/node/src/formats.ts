import type { StreamFormat } from '@millrace/server'

export const streamFormats: readonly StreamFormat[] = ['sse', 'ndjson', 'ui-message-stream', 'ag-ui']
