import type { IncomingMessage } from 'node:http'
import { completeTurn } from '../script/answer.ts'
import { faultedAnswer, faultedPlan } from './apply-fault.ts'
import type { Chunking } from '../stream/chunking.ts'
import { readConversation } from '../script/conversation.ts'
import { describeFault } from '../faults/fault.ts'
import type { ActiveFaultPlan } from './fault-plan.ts'
import { isObject, isString, type JsonObject } from '../kit/guards.ts'
import { hasKey, readBody } from './request-body.ts'
import type { OpenRecord } from './request-record.ts'
import { errorPlan, type ResponsePlan } from './response-plan.ts'
import { checkTurn, pickTurn, type Script } from '../script/script.ts'
import type { ServerMemory } from './server-memory.ts'
import type { Pace, Turn } from '../script/turn.ts'
import { validateRequest } from '../validation/validate-request.ts'

/** The API's own limit for the body of a request. */
const bodyLimit = 32 * 1024 * 1024

/** What answers depend on. `script` and `faults` are read anew for each request. */
export interface Responder {
  readonly script: Script
  readonly faults: ActiveFaultPlan
  readonly memory: ServerMemory
  readonly validate: boolean
  readonly pace: Pace
  readonly chunking: Chunking
  readonly seed: number
}

/** Reads a request, fills in its record, and returns the plan of the whole response. */
export async function respond(
  responder: Responder,
  request: IncomingMessage,
  record: OpenRecord,
): Promise<ResponsePlan> {
  const requestId = `req_${responder.seed}_${record.index}`
  const refuse = (status: number, message: string): ResponsePlan => {
    record.error = message
    return errorPlan(status, message, requestId)
  }
  const text = await readBody(request, bodyLimit)
  if (record.path !== '/v1/messages') return refuse(404, `Not found: ${record.path}`)
  if (record.method !== 'POST') return refuse(405, `Method ${record.method} is not allowed`)
  if (!hasKey(request)) return refuse(401, 'x-api-key or authorization header is required')
  if (text === 'too_large') return refuse(413, 'Request exceeds the maximum size')
  const body = parseBody(text)
  if (body === undefined) return refuse(400, 'The request body is not valid JSON')
  record.body = body
  record.stream = body.stream === true
  const found = responder.validate ? validateRequest(body, responder.memory) : undefined
  if (found !== undefined) return refuse(400, found.message)
  return await answerConversation(responder, body, { record, requestId, bytes: text.length })
}

async function answerConversation(
  responder: Responder,
  body: JsonObject,
  request: { record: OpenRecord; requestId: string; bytes: number },
): Promise<ResponsePlan> {
  const { record, requestId } = request
  const conversation = readConversation(body, responder.memory.countAttempt(body.messages))
  record.turn = conversation.turn
  record.attempt = conversation.attempt
  const fault = responder.faults.take(conversation)
  if (fault !== undefined) record.faults = [describeFault(fault)]
  const asked = fault?.kind === 'start-over' ? { ...conversation, continued: (turn: Turn) => turn } : conversation
  const turn = await pickTurn(responder.script, asked).catch((error: unknown) => String(error))
  if (typeof turn === 'string') return scriptError(turn, request)
  try {
    checkTurn(turn, 'turn')
  } catch (error) {
    return scriptError(String(error), request)
  }
  const completed = completeTurn(turn, {
    model: isString(body.model) ? body.model : '',
    inputTokens: Math.ceil(request.bytes / 4),
    nonce: `${responder.seed}.${record.index}`,
    chunking: responder.chunking,
  })
  const faults = [...(turn.quirks ?? []), ...(fault === undefined ? [] : [fault])]
  const answer = faultedAnswer(completed, faults)
  responder.memory.remember(answer)
  return faultedPlan(answer, faults, { stream: conversation.stream, pace: turn.pace ?? responder.pace, requestId })
}

/** Answers for a script that failed. Clients must not retry that, as they would a fault of the API. */
function scriptError(message: string, request: { record: OpenRecord; requestId: string }): ResponsePlan {
  request.record.error = message
  return errorPlan(400, `The script failed: ${message}`, request.requestId, { 'x-should-retry': 'false' })
}

function parseBody(text: string): JsonObject | undefined {
  try {
    const body: unknown = JSON.parse(text)
    return isObject(body) ? body : undefined
  } catch {
    return undefined
  }
}
