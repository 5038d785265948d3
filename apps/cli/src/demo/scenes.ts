import type { FaultPlan } from '@millrace/testing'
import { cuts } from './demo-model.ts'

/** One run of the demo, and its expected end. */
export interface Scene {
  readonly title: string
  readonly story: string
  readonly streaming: boolean
  readonly faults: FaultPlan
  /** The requests that the server must have seen, in order. */
  readonly attempts: readonly string[]
  /** The rungs of the ladder that must have been taken. */
  readonly rungs: readonly string[]
  readonly retractions: number
}

export const scenes: readonly Scene[] = [
  {
    title: 'The flag is on: the run streams',
    story: 'Text, thinking and the progress of a tool arrive as they happen.',
    streaming: true,
    faults: [],
    attempts: ['stream', 'stream', 'stream'],
    rungs: [],
    retractions: 0,
  },
  {
    title: 'The flag is on, and the stream is cut four times',
    story: `The server destroys the connection: ${cuts.map(({ turn, where }) => `turn ${turn} ${where}`).join('; ')}.`,
    streaming: true,
    faults: cuts.map(({ turn, event }) => ({ kind: 'destroy', at: { event }, turn, stream: true, times: 1 })),
    attempts: ['stream', 'stream', 'stream', 'stream', 'stream', 'buffered'],
    rungs: ['stream', 'salvage', 'stream', 'buffered'],
    retractions: 2,
  },
  {
    title: 'The flag is off: the same function calls the legacy loop',
    story: 'The caller gets the result of the legacy loop, unchanged. The answer arrives at its end.',
    streaming: false,
    faults: [],
    attempts: ['buffered', 'buffered', 'buffered'],
    rungs: [],
    retractions: 0,
  },
]
