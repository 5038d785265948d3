import { type ContentBlock, isContentBlock, type Message, messageOf } from '@millrace/core'

export interface LoggedCall {
  readonly id: string
  readonly name: string
  readonly input: unknown
}

/** Builds a conversation for the API from the parts that other clients keep. */
export interface MessageLog {
  add(role: 'user' | 'assistant', blocks: readonly ContentBlock[]): void
  /** Adds a call and its result. Consecutive calls belong to one message. */
  call(call: LoggedCall, result: unknown, isError: boolean): void
  messages(): readonly Message[]
}

export function messageLog(): MessageLog {
  const log: { readonly role: 'user' | 'assistant'; readonly content: ContentBlock[] }[] = []
  let results: ContentBlock[] = []

  function push(role: 'user' | 'assistant', blocks: readonly ContentBlock[]): void {
    const last = log.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else log.push({ role, content: [...blocks] })
  }

  function flush(): void {
    if (results.length > 0) push('user', results)
    results = []
  }

  return {
    add(role, blocks) {
      if (blocks.length === 0) return
      flush()
      push(role, blocks)
    },
    call({ id, name, input }, result, isError) {
      push('assistant', [{ type: 'tool_use', id, name, input }])
      const content = asContent(result)
      results.push({ type: 'tool_result', tool_use_id: id, content, ...(isError && { is_error: true }) })
    },
    messages() {
      flush()
      return log.map(({ role, content }) => messageOf(role, content))
    },
  }
}

function asContent(result: unknown): unknown {
  if (typeof result === 'string') return result
  if (Array.isArray(result) && result.length > 0 && result.every(isContentBlock)) return result
  return JSON.stringify(result ?? null)
}
