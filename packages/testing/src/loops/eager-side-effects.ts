import type { LoopUnderTest } from '../grade/job.ts'
import { runJobTool } from './converse.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant: a tool starts as soon as its block is complete, side effects or not, and again when its turn is repeated. */
export const eagerSideEffectsLoop: LoopUnderTest = (job) => {
  const started = new Map<unknown, Promise<string>>()
  return streamingLoop(job, {
    onBlock(block) {
      if (block.type === 'tool_use') started.set(block.id, runJobTool(job, block))
    },
    runTool: (call) => started.get(call.id) ?? runJobTool(job, call),
  })
}
