import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant: after a broken stream it waits for something that never comes. */
export const hangLoop: LoopUnderTest = (job) => streamingLoop(job, { askAgain: () => new Promise(() => undefined) })
