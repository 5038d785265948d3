import type { LoopUnderTest } from '../grade/job.ts'
import { runJobTool } from './converse.ts'
import { streamingLoop } from './streaming.ts'

/** A mutant that starts every tool as soon as its block is complete, and again when the turn is repeated. */
export const eagerSideEffectsLoop: LoopUnderTest = (job) => {
  const started = new Map<unknown, Promise<string>>()
  return streamingLoop(job, {
    onBlock(block) {
      if (block.type === 'tool_use') started.set(block.id, runJobTool(job, block))
    },
    runTool: (call) => started.get(call.id) ?? runJobTool(job, call),
  })
}
