import { createProvider } from '@millrace/flags/openfeature'
import type { Provider } from '@openfeature/server-sdk'
import { fileFlags, type FileFlagsOptions } from './file-flags.ts'

/** An OpenFeature provider over {@link fileFlags}. */
export function fileProvider(options: FileFlagsOptions): Provider {
  return createProvider(fileFlags(options))
}
