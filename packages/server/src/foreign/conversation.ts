import type { ContentBlock, InputMessage } from '@millrace/core'
import { isRecord } from '../check.ts'

/** Builds the messages of the API from what chat clients send. */
export interface ConversationBuilder {
  user(blocks: readonly ContentBlock[]): void
  say(text: string): void
  /** A call and its answer. */
  call(call: { id: string; name: string; input: unknown }, answer: { content: string; isError: boolean }): void
  messages(): readonly InputMessage[]
}

interface Draft {
  role: 'user' | 'assistant'
  content: ContentBlock[]
}

export function conversationBuilder(): ConversationBuilder {
  const drafts: Draft[] = []
  let answers: ContentBlock[] = []

  function add(role: 'user' | 'assistant', blocks: readonly ContentBlock[]): void {
    if (blocks.length === 0) return
    const last = drafts.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else drafts.push({ role, content: [...blocks] })
  }

  /** Results stand in one user message right after the message with their calls. */
  function answer(): void {
    add('user', answers)
    answers = []
  }

  return {
    user(blocks) {
      answer()
      add('user', blocks)
    },
    say(text) {
      if (text.trim() === '') return
      answer()
      add('assistant', [{ type: 'text', text }])
    },
    call({ id, name, input }, { content, isError }) {
      add('assistant', [{ type: 'tool_use', id, name, input: isRecord(input) ? input : {} }])
      answers.push({ type: 'tool_result', tool_use_id: id, content, ...(isError && { is_error: true }) })
    },
    messages() {
      answer()
      const built: readonly unknown[] = drafts
      return built.filter(isInputMessage)
    },
  }
}

/** Our blocks are of the kinds that the API's types describe; the agent checks the list as any other. */
function isInputMessage(draft: unknown): draft is InputMessage {
  return isRecord(draft) && Array.isArray(draft['content'])
}
