export { envFlags, type EnvFlagsOptions } from './env-flags.ts'
