import { type Answer, answerEvents } from '../script/answer.ts'
import type { Fault } from '../faults/fault.ts'
import { leakCanary } from '../faults/fault.ts'
import { faultedSteps } from './faulted-steps.ts'
import {
  bytesStep,
  cutBytes,
  cutSteps,
  errorPlan,
  gzipBody,
  jsonPlan,
  type ResponsePlan,
  statusOfError,
  streamPlan,
} from './response-plan.ts'
import type { Pace } from '../script/turn.ts'

/** Returns the answer with the faults of the model in it. Those of the transport do not change it. */
export function faultedAnswer(answer: Answer, faults: readonly Fault[]): Answer {
  return faults.reduce(applyToAnswer, answer)
}

function applyToAnswer(answer: Answer, fault: Fault): Answer {
  switch (fault.kind) {
    case 'stop-reason':
      return { ...answer, stopReason: fault.stopReason }
    case 'tool-use-without-tool':
      return { ...answer, stopReason: 'tool_use', content: answer.content.filter((block) => block.type !== 'tool_use') }
    case 'unknown-block':
      return { ...answer, content: [{ type: 'hologram', beam: 'blue' }, ...answer.content] }
    case 'empty-answer':
      return { ...answer, stopReason: 'end_turn', content: [], usage: { ...answer.usage, output_tokens: 0 } }
    case 'repeated-tool-id': {
      const id = answer.content.find((block) => block.type === 'tool_use')?.id
      const content = answer.content.map((block) => (block.type === 'tool_use' ? { ...block, id } : block))
      return { ...answer, content }
    }
    default:
      return answer
  }
}

/** Returns the response to a request with the faults in it. The first one is applied first. */
export function faultedPlan(
  answer: Answer,
  faults: readonly Fault[],
  request: { stream: boolean; pace: Pace; requestId: string },
): ResponsePlan {
  const { pace, requestId } = request
  const isStream = request.stream && !faults.some(({ kind }) => kind === 'json')
  const plan = isStream ? streamPlan(answerEvents(answer), pace, requestId) : jsonPlan(answer, pace, requestId)
  return faults.reduce((faulted, fault) => applyFault(faulted, fault, { answer, isStream, requestId }), plan)
}

interface FaultedRequest {
  readonly answer: Answer
  readonly isStream: boolean
  readonly requestId: string
}

function applyFault(plan: ResponsePlan, fault: Fault, request: FaultedRequest): ResponsePlan {
  switch (fault.kind) {
    case 'destroy':
    case 'reset':
      return { ...plan, steps: cutSteps(plan.steps, fault.at, [{ type: fault.kind }]) }
    case 'end':
      return { ...plan, steps: cutSteps(plan.steps, fault.at, []) }
    case 'break-chunk':
      return {
        ...plan,
        steps: cutSteps(plan.steps, fault.at, [{ type: 'break-chunk', bytes: Buffer.from('event: cont') }]),
      }
    case 'stall':
      return { ...plan, steps: cutSteps(plan.steps, fault.at, [{ type: 'hang', pingEvery: fault.pingEvery }]) }
    case 'gzip':
      return gzipBody(plan, cutBytes(plan.steps, { byte: Number.POSITIVE_INFINITY }), true)
    case 'gzip-cut':
      return gzipBody(plan, cutBytes(plan.steps, fault.at), false)
    case 'slow-headers':
      return { ...plan, beforeHeaders: [{ type: 'wait', ms: fault.ms }, ...plan.beforeHeaders] }
    case 'no-headers':
      return { ...plan, beforeHeaders: [{ type: 'hang' }] }
    case 'refused':
      return { ...plan, beforeHeaders: [{ type: 'reset' }] }
    case 'status':
      return errorPlan(fault.status, `Something failed: ${leakCanary}`, request.requestId, {
        ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
        ...(fault.retryAfterMs === undefined ? {} : { 'retry-after-ms': fault.retryAfterMs }),
      })
    case 'html':
      return {
        ...plan,
        headers: { 'content-type': 'text/html; charset=utf-8' },
        steps: [bytesStep(`<!doctype html><title>Welcome</title><p>${leakCanary}</p>\n`)],
      }
    case 'error-event':
      if (request.isStream) return { ...plan, steps: faultedSteps(plan.steps, fault, request) }
      return errorPlan(statusOfError(fault.errorType), `Something failed: ${leakCanary}`, request.requestId)
    case 'json':
    case 'stop-reason':
    case 'tool-use-without-tool':
    case 'unknown-block':
    case 'empty-answer':
    case 'repeated-tool-id':
    case 'start-over':
      return plan
    default:
      return request.isStream ? { ...plan, steps: faultedSteps(plan.steps, fault, request) } : plan
  }
}
