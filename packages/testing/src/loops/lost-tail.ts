import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/**
 * A mutant that loses text. After a broken turn it leaves out as many characters as were shown already, and miscounts
 * them by a word.
 */
export const lostTailLoop: LoopUnderTest = (job) => {
  const state = { isAgain: false }
  return streamingLoop(job, {
    retract(screen, before) {
      screen.text = before
      state.isAgain = true
    },
    show(screen, text) {
      screen.text += state.isAgain ? text.replace(/\s*\S+\s*$/u, '') : text
    },
  })
}
