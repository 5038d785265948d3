import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant: what a broken turn has shown stays on the screen, and the turn's text comes again behind it. */
export const noRetractionLoop: LoopUnderTest = (job) => streamingLoop(job, { takeBack: () => undefined })
