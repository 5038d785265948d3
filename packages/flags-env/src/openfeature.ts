import { createProvider } from '@millrace/flags/openfeature'
import type { Provider } from '@openfeature/server-sdk'
import { envFlags, type EnvFlagsOptions } from './env-flags.ts'

/** An OpenFeature provider over {@link envFlags}. Its initialization fails where a variable cannot be understood. */
export function envProvider(options: EnvFlagsOptions = {}): Provider {
  return createProvider(envFlags(options))
}
