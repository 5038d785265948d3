import { isObject, isString } from '../kit/guards.ts'
import type { Job } from '../grade/job.ts'
import type { ContentBlock } from '../script/turn.ts'

/** A whole answer of the model. */
export interface TurnAnswer {
  readonly content: readonly ContentBlock[]
  readonly stopReason: string
}

/** Why an answer did not arrive. Its message is fit for a client. */
export class AskError extends Error {
  override readonly name = 'AskError'
  readonly code: string
  readonly retryable: boolean

  constructor(code: string, retryable: boolean) {
    super(`The model could not be asked (${code}).`)
    this.code = code
    this.retryable = retryable
  }
}

export function isAskError(value: unknown): value is AskError {
  return value instanceof AskError
}

/**
 * Milliseconds of the job's clock that the next bytes of an answer may take, and the whole answer: pings alone must not
 * keep it alive.
 */
const patience = 120_000
const patienceInAll = 600_000

/** Sends a request and reads its body with `read`. A watchdog guards both, and `read` calls `alive` to reset it. */
export async function ask<Answer>(
  job: Job,
  messages: readonly unknown[],
  stream: boolean,
  read: (response: Response, alive: () => void) => Promise<Answer>,
): Promise<Answer> {
  const watchdog = new AbortController()
  const expire = (): void => watchdog.abort(new AskError('timeout', true))
  let cancel = job.clock.setTimer(expire, patience)
  const cancelAll = job.clock.setTimer(expire, patienceInAll)
  const alive = (): void => {
    cancel()
    cancel = job.clock.setTimer(expire, patience)
  }
  const tools = job.tools.map(({ name, description, inputSchema }) => ({
    name,
    description,
    input_schema: inputSchema,
  }))
  try {
    const response = await fetch(`${job.baseURL}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': job.apiKey },
      body: JSON.stringify({ model: job.model, max_tokens: 1024, messages, tools, stream }),
      signal: AbortSignal.any([watchdog.signal, job.signal]),
    })
    if (!response.ok) {
      await response.body?.cancel()
      throw new AskError(`http_${response.status}`, [408, 409, 429].includes(response.status) || response.status >= 500)
    }
    return await read(response, alive)
  } catch (error) {
    if (isAskError(error)) throw error
    throw new AskError(watchdog.signal.aborted ? 'timeout' : 'connection', true)
  } finally {
    cancel()
    cancelAll()
    // Aborted in any case: a body that is not read to its end would keep its connection.
    watchdog.abort()
  }
}

/** Asks without streaming. */
async function askWhole(job: Job, messages: readonly unknown[]): Promise<TurnAnswer> {
  return await ask(job, messages, false, async (response) => {
    const body: unknown = await response.json()
    const content = isObject(body) ? readContent(body.content) : undefined
    if (!isObject(body) || content === undefined) throw new AskError('no_message', true)
    // A model that has nothing to add says so with a few tokens; without any, nothing was generated.
    const isEmpty = content.length === 0 && isObject(body.usage) && body.usage.output_tokens === 0
    if (isEmpty) throw new AskError('empty_answer', true)
    return checkAnswer({ content, stopReason: isString(body.stop_reason) ? body.stop_reason : 'end_turn' })
  })
}

/** Asks without streaming, up to three times, with a pause in between. */
export async function askWholePatiently(job: Job, messages: readonly unknown[]): Promise<TurnAnswer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askWhole(job, messages)
    } catch (error) {
      if (!isAskError(error) || !error.retryable || attempt === 3 || job.signal.aborted) throw error
      await new Promise<void>((resolve) => job.clock.setTimer(resolve, 1000 * attempt))
    }
  }
}

/**
 * Returns an answer that a conversation can go on with: its calls have ids of their own. Throws an `AskError` for one
 * that says it calls a tool and does not.
 */
export function checkAnswer(answer: TurnAnswer): TurnAnswer {
  const { content, stopReason } = answer
  const calls = content.some((block) => block.type === 'tool_use')
  if (stopReason === 'tool_use' && !calls) throw new AskError('tool_use_without_tool', true)
  return { content: content.map(withOwnId), stopReason }
}

/** Some gateways give all calls of an answer one id. The API refuses a history in which an id repeats. */
function withOwnId(block: ContentBlock, index: number, content: readonly ContentBlock[]): ContentBlock {
  const isTaken = block.type === 'tool_use' && content.slice(0, index).some(({ id }) => id === block.id)
  return isTaken ? { ...block, id: `${String(block.id)}_${index}` } : block
}

function readContent(content: unknown): readonly ContentBlock[] | undefined {
  if (!Array.isArray(content)) return undefined
  return content.flatMap((block) => (isObject(block) && isString(block.type) ? [{ ...block, type: block.type }] : []))
}
