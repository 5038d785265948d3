import type { Calls } from './calls.ts'
import type { Changes } from './changes.ts'
import type { Settings } from './options.ts'

/** What the three stores share. */
export interface Context {
  readonly calls: Calls
  readonly changes: Changes
  readonly settings: Settings
  /** A fresh token: what a call wrote is recognised by it when the call is repeated. */
  readonly newToken: () => string
}

/** The key under which changes of a run are told. */
export function runKey(runId: string): string {
  return `run:${runId}`
}

/** The key under which changes of a value are told. */
export function stateKey(key: string): string {
  return `state:${key}`
}
