import type { Runtime } from '../kit/clock.ts'
import type { ModelClient } from '../model/model-client.ts'
import type { RecoveryPolicy } from '../recovery/policy.ts'
import type { FlagClient } from '../run/flag-client.ts'
import type { Limits } from '../run/limits.ts'
import type { Middleware } from '../run/middleware.ts'
import type { Tool } from '../tools/define-tool.ts'

/** What the loop needs of an agent's options, checked and with their defaults. */
export interface LoopSettings {
  readonly client: ModelClient
  readonly request: Readonly<Record<string, unknown>>
  readonly model: string
  readonly tools: () => ReadonlyMap<string, Tool>
  readonly use: readonly Middleware[]
  readonly limits: Limits
  readonly recovery: RecoveryPolicy
  readonly eagerTools: boolean
  readonly flags: FlagClient | undefined
  readonly runtime: Runtime
}
