import { createProvider } from '@millrace/flags/openfeature'
import type { Provider } from '@openfeature/server-sdk'
import { envFlags, type EnvFlagsOptions } from './env-flags.ts'

/** Makes an OpenFeature provider of {@link envFlags}. Its initialization fails if a variable cannot be read. */
export function envProvider(options: EnvFlagsOptions = {}): Provider {
  return createProvider(envFlags(options))
}
