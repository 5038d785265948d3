import { createProvider } from '@millrace/flags/openfeature'
import type { Provider } from '@openfeature/server-sdk'
import { fileFlags, type FileFlagsOptions } from './file-flags.ts'

/** Makes an OpenFeature provider of {@link fileFlags}. */
export function fileProvider(options: FileFlagsOptions): Provider {
  return createProvider(fileFlags(options))
}
