import type { AgentEvent, Fallback, RunFinished, RunStarted } from '@millrace/core'
import { createShownBlocks } from './shown-blocks.ts'

/** What a client has seen of one run, and the mistakes in it. */
export interface RunCheck {
  see(event: AgentEvent): void
  readonly decision: RunStarted['decision'] | undefined
  readonly outcome: RunFinished['outcome'] | undefined
  /** The mode of each attempt of each turn. */
  readonly attempts: readonly string[]
  readonly fallbacks: readonly Pick<Fallback, 'turn' | 'from' | 'to' | 'reason'>[]
  readonly retractions: number
  /** The tool's name for each call, as `tool.finished` reports them. */
  readonly calls: readonly string[]
  /** How many blocks were compared with the length and checksum that were sent. */
  readonly verified: number
  /** The text of each text block that is shown, in order. */
  texts(): readonly string[]
  readonly problems: readonly string[]
}

/** Follows the events of a run as a client does, and verifies their order, lengths and checksums. */
export function createRunCheck(): RunCheck {
  const blocks = createShownBlocks()
  const attempts: string[] = []
  const fallbacks: Pick<Fallback, 'turn' | 'from' | 'to' | 'reason'>[] = []
  const calls: string[] = []
  const order: string[] = []
  let seq = 0
  let decision: RunStarted['decision'] | undefined
  let outcome: RunFinished['outcome'] | undefined

  return {
    see(event) {
      if (event.seq !== ++seq) order.push(`expected event ${seq}, received event ${event.seq}`)
      if (outcome !== undefined) order.push(`received ${event.type} after run.finished`)
      blocks.see(event)
      if (event.type === 'run.started') decision = event.decision
      if (event.type === 'turn.started') attempts.push(event.mode)
      if (event.type === 'tool.finished') calls.push(event.name)
      if (event.type === 'fallback') fallbacks.push(event)
      if (event.type === 'run.finished') outcome = event.outcome
    },
    get decision() {
      return decision
    },
    get outcome() {
      return outcome
    },
    attempts,
    fallbacks,
    get retractions() {
      return blocks.retractions
    },
    calls,
    get verified() {
      return blocks.verified
    },
    texts: () => blocks.texts(),
    get problems() {
      return [...order, ...blocks.problems]
    },
  }
}
