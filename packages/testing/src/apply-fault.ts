import type { Answer } from './answer.ts'
import type { Fault } from './fault.ts'
import { leakCanary } from './fault.ts'
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
import { streamEvents } from './stream-events.ts'
import type { Pace } from './turn.ts'

/** The answer itself, where the fault is one of the model and not of its transport. */
export function faultedAnswer(answer: Answer, fault: Fault | undefined): Answer {
  switch (fault?.kind) {
    case 'stop-reason':
      return { ...answer, stopReason: fault.stopReason }
    case 'tool-use-without-tool':
      return { ...answer, stopReason: 'tool_use', content: answer.content.filter((block) => block.type !== 'tool_use') }
    case 'unknown-block':
      return { ...answer, content: [{ type: 'hologram', beam: 'blue' }, ...answer.content] }
    default:
      return answer
  }
}

/** The response to a request, with the fault in it. */
export function faultedPlan(
  answer: Answer,
  fault: Fault | undefined,
  request: { stream: boolean; pace: Pace; requestId: string },
): ResponsePlan {
  const { pace, requestId } = request
  const isStream = request.stream && fault?.kind !== 'json'
  const plan = isStream ? streamPlan(streamEvents(answer), pace, requestId) : jsonPlan(answer, pace, requestId)
  return fault === undefined ? plan : applyFault(plan, fault, { isStream, requestId })
}

function applyFault(plan: ResponsePlan, fault: Fault, request: { isStream: boolean; requestId: string }): ResponsePlan {
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
      if (request.isStream) return { ...plan, steps: faultedSteps(plan.steps, fault, request.requestId) }
      return errorPlan(statusOfError(fault.errorType), `Something failed: ${leakCanary}`, request.requestId)
    case 'json':
    case 'stop-reason':
    case 'tool-use-without-tool':
    case 'unknown-block':
      return plan
    default:
      return request.isStream ? { ...plan, steps: faultedSteps(plan.steps, fault, request.requestId) } : plan
  }
}
