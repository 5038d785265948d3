import type { LoopUnderTest } from '../grade/job.ts'
import { reportTalk, startTalk } from './converse.ts'
import { type Screen, streamTalk } from './streaming.ts'

/** A mutant that clears the screen after a broken stream and starts over from the question, tools included. */
export const rerunEverythingLoop: LoopUnderTest = async (job) => {
  const askAgain = (): Promise<never> => Promise.reject(new Error('the stream broke'))
  for (let attempt = 1; ; attempt++) {
    const talk = startTalk(job)
    const screen: Screen = { text: '' }
    try {
      return await streamTalk(job, talk, screen, { askAgain })
    } catch (error) {
      if (attempt === 3) return reportTalk(job, startTalk(job), { outcome: 'failed', error })
    }
  }
}
