import type { LoopUnderTest } from '../grade/job.ts'
import { askWholePatiently } from './ask.ts'
import { converse, reportTalk, runJobTool, startTalk } from './converse.ts'
import { type Screen, streamTalk } from './streaming.ts'

/**
 * The baseline, as many teams write it: stream, and on any error run everything again without streaming. Text that was
 * shown stays, and tools that ran run again.
 */
export const naiveLoop: LoopUnderTest = async (job) => {
  const screen: Screen = { text: '' }
  const askAgain = (): Promise<never> => Promise.reject(new Error('the stream broke'))
  try {
    return await streamTalk(job, startTalk(job), screen, { askAgain, retract: () => undefined })
  } catch {
    const talk = startTalk(job)
    try {
      const outcome = await converse(
        talk,
        (messages) => askWholePatiently(job, messages),
        (call) => runJobTool(job, call),
      )
      const { shown } = reportTalk(job, talk, { outcome })
      return reportTalk(job, talk, { outcome }, screen.text + shown)
    } catch (error) {
      return reportTalk(job, talk, { outcome: 'failed', error }, screen.text)
    }
  }
}
