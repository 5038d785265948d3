import type { AgentEvent, Fallback, RunFinished, RunStarted } from '@millrace/core'
import { createShownBlocks } from './shown-blocks.ts'

/** What a client has seen of one run, and what is wrong with it. */
export interface RunCheck {
  see(event: AgentEvent): void
  readonly decision: RunStarted['decision'] | undefined
  readonly outcome: RunFinished['outcome'] | undefined
  /** How the requests were made: one for each attempt of each turn. */
  readonly attempts: readonly string[]
  readonly fallbacks: readonly Pick<Fallback, 'turn' | 'from' | 'to' | 'reason'>[]
  readonly retractions: number
  /** Calls by the name of their tool, as `tool.finished` reports them. */
  readonly calls: readonly string[]
  /** Blocks whose length and checksum were compared with what the events add up to. */
  readonly verified: number
  /** The text that is shown, a string for each text block, retractions applied. */
  texts(): readonly string[]
  readonly problems: readonly string[]
}

/** Adds up the events of a run as a client does, and verifies what they say of themselves. */
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
      if (event.seq !== ++seq) order.push(`event ${event.seq} came where ${seq} was due`)
      if (outcome !== undefined) order.push(`${event.type} came after the run had finished`)
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
