import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant: when the stream ends, whatever has arrived is the answer. */
export const endOfStreamIsSuccessLoop: LoopUnderTest = (job) => streamingLoop(job, { incomplete: 'success' })
