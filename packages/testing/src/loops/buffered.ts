import type { LoopUnderTest } from '../grade/job.ts'
import { askWholePatiently } from './ask.ts'
import { converse, reportTalk, runJobTool, startTalk } from './converse.ts'

/**
 * The reference loop. It never streams and asks each turn up to three times, so it cannot double text or have to
 * retract it.
 */
export const bufferedLoop: LoopUnderTest = async (job) => {
  const talk = startTalk(job)
  try {
    const outcome = await converse(
      talk,
      (messages) => askWholePatiently(job, messages),
      (call) => runJobTool(job, call),
    )
    return reportTalk(job, talk, { outcome })
  } catch (error) {
    return reportTalk(job, talk, { outcome: 'failed', error })
  }
}
