import { AsyncLocalStorage } from 'node:async_hooks'
import type { OpenCall } from './open-calls.ts'
import type { Fetch } from '../request/messages-request.ts'
import type { Scope } from '../send/scope.ts'
import type { ToolProgress } from '@millrace/core'

/** What surrounds a loop that streams in place. */
export interface RunScope {
  readonly fetch: Fetch
  readonly send: Scope
  /** The call that code runs for, as far as `observeTool` knows. */
  readonly call?: OpenCall
  /** Finds the call that a tool runs for; undefined if none or several could be meant. */
  claim(name: string, input: unknown): OpenCall | undefined
  progress(call: OpenCall | undefined, update: ToolProgress): void
}

/** One for all runs: a request belongs to the run that it is made in, however many run at once. */
export const runScope: AsyncLocalStorage<RunScope> = new AsyncLocalStorage()
