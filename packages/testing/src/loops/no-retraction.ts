import type { LoopUnderTest } from '../grade/job.ts'
import { streamingLoop } from './streaming.ts'

/**
 * A mutant that retracts nothing: the text of a broken turn stays on the screen, and the turn's text is shown again
 * behind it.
 */
export const noRetractionLoop: LoopUnderTest = (job) => streamingLoop(job, { retract: () => undefined })
