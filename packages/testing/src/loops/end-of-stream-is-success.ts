import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant that takes whatever has arrived for the answer once the stream ends. */
export const endOfStreamIsSuccessLoop: LoopUnderTest = (job) => streamingLoop(job, { incomplete: 'success' })
