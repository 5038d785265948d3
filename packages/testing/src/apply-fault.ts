import type { Fault, FaultPosition } from './fault.ts'
import type { ResponsePlan, Step } from './response-plan.ts'

/** The plan with the fault in it. */
export function applyFault(plan: ResponsePlan, fault: Fault): ResponsePlan {
  return { ...plan, steps: cut(plan.steps, fault.at ?? { event: 0 }, [{ type: 'destroy' }]) }
}

/** The steps up to the position, then `instead`. */
export function* cut(steps: Iterable<Step>, at: FaultPosition, instead: Iterable<Step>): Generator<Step> {
  if ('event' in at) {
    let index = 0
    for (const step of steps) {
      if (step.type === 'bytes' && step.event !== undefined && index++ === at.event) break
      yield step
    }
  } else {
    let left = at.byte
    for (const step of steps) {
      if (step.type !== 'bytes') {
        yield step
        continue
      }
      if (step.bytes.length >= left) {
        yield { type: 'bytes', bytes: step.bytes.subarray(0, left) }
        break
      }
      yield step
      left -= step.bytes.length
    }
  }
  yield* instead
}
