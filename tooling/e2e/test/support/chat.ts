import { AbstractChat, type ChatState, DefaultChatTransport, type UIMessage } from 'ai'

/** The engine of `useChat`, with plain fields for its state. */
export class PlainChat extends AbstractChat<UIMessage> {}

export interface Chat {
  readonly chat: PlainChat
  /** The parts of the last message, each time they changed. */
  readonly seen: string[]
}

export function chatAgainst(api: string, fetch: typeof globalThis.fetch, headers: Record<string, string> = {}): Chat {
  const seen: string[] = []
  const state: ChatState<UIMessage> = {
    status: 'ready',
    error: undefined,
    messages: [],
    pushMessage: (message) => {
      state.messages = [...state.messages, message]
    },
    popMessage: () => {
      state.messages = state.messages.slice(0, -1)
    },
    replaceMessage: (index, message) => {
      seen.push(JSON.stringify(message.parts))
      state.messages = state.messages.with(index, structuredClone(message))
    },
    snapshot: (thing) => structuredClone(thing),
  }
  const transport = new DefaultChatTransport({ api, fetch, headers })
  return { chat: new PlainChat({ id: 'chat-1', state, transport }), seen }
}
