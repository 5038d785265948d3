export { createShownTurn, type ShownTurn } from './loop/shown-turn.ts'
export { type DecideOptions, decide, isKilled } from './run/decision.ts'
