import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/**
 * A mutant: after a broken turn it shows the new text without as many characters as were shown already, and miscounts
 * them by a word: the end is lost.
 */
export const lostTailLoop: LoopUnderTest = (job) => {
  const state = { isAgain: false }
  return streamingLoop(job, {
    takeBack(screen, before) {
      screen.text = before
      state.isAgain = true
    },
    show(screen, text) {
      screen.text += state.isAgain ? text.replace(/\s*\S+\s*$/u, '') : text
    },
  })
}
