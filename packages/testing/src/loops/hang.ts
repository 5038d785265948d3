import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant that waits forever after a broken stream. */
export const hangLoop: LoopUnderTest = (job) => streamingLoop(job, { askAgain: () => new Promise(() => undefined) })
