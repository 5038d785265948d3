import { createProvider } from '@millrace/flags/openfeature'
import type { Provider } from '@openfeature/server-sdk'
import { ofrepFlags, type OfrepFlagsOptions } from './ofrep-flags.ts'
import { remoteFlagFile, type RemoteFlagFileOptions } from './remote-flag-file.ts'

/** Makes an OpenFeature provider of {@link remoteFlagFile}. */
export function remoteFileProvider(options: RemoteFlagFileOptions): Provider {
  return createProvider(remoteFlagFile(options))
}

/** Makes an OpenFeature provider of {@link ofrepFlags}, with a cache and with a timeout that covers the body. */
export function ofrepProvider(options: OfrepFlagsOptions): Provider {
  return createProvider(ofrepFlags(options))
}
