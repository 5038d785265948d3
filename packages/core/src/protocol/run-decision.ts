/**
 * Why a run streams or does not. `flag`: its flag said so; `explicit`: its caller did; `killed`: the kill switch;
 * `no_flags`: there is no flag source; `flag_error`, `flag_timeout`: the source failed and the safe side was taken.
 */
export type DecisionReason = 'flag' | 'explicit' | 'killed' | 'no_flags' | 'flag_error' | 'flag_timeout'

/** Taken once per run, recorded in `run.started`, never changed. */
export interface RunDecision {
  readonly mode: 'stream' | 'buffered' | 'legacy'
  /** The arm that the run counts for, however it then goes: a fallback stays in the streaming arm. */
  readonly arm: 'streaming' | 'control'
  readonly reason: DecisionReason
  readonly flag?: string
  readonly variant?: string
  /** What the flag source gave as its reason, in OpenFeature's terms: `SPLIT` for a percentage, `TARGETING_MATCH` for a rule. */
  readonly flagReason?: string
  /** A checksum of the context's `targetingKey`, so that a rollout counts a user once without knowing who it is. */
  readonly unit?: string
  /** For each tool by name: whether it streams (progress, early start). */
  readonly tools: Readonly<Record<string, boolean>>
}
