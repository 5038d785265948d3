import { AbstractChat, DefaultChatTransport, type UIMessage } from 'ai'
import { AbstractChat as AbstractChat6, DefaultChatTransport as Transport6, type UIMessage as UIMessage6 } from 'ai6'

/** The engine of `useChat`, with plain fields for its state. */
class PlainChat extends AbstractChat<UIMessage> {}

/** The same of the version before. */
export class PlainChat6 extends AbstractChat6<UIMessage6> {}

export interface Chat<Engine = PlainChat> {
  readonly chat: Engine
  /** The parts of the last message, each time they changed. */
  readonly seen: string[]
}

export interface ChatAgainstOptions {
  readonly headers?: Record<string, string>
  /** More fields for the body of each request. */
  readonly body?: object
}

interface PlainState<Message> {
  status: 'submitted' | 'streaming' | 'ready' | 'error'
  error: Error | undefined
  messages: Message[]
  pushMessage(message: Message): void
  popMessage(): void
  replaceMessage(index: number, message: Message): void
  snapshot<Thing>(thing: Thing): Thing
}

export function chatAgainst(api: string, fetch: typeof globalThis.fetch, options: ChatAgainstOptions = {}): Chat {
  const seen: string[] = []
  const transport = new DefaultChatTransport({ api, fetch, ...options })
  return { chat: new PlainChat({ id: 'chat-1', state: plainState(seen), transport }), seen }
}

export function chat6Against(api: string, fetch: typeof globalThis.fetch): Chat<PlainChat6> {
  const seen: string[] = []
  const transport = new Transport6({ api, fetch })
  return { chat: new PlainChat6({ id: 'chat-1', state: plainState(seen), transport }), seen }
}

function plainState<Message extends { readonly parts: unknown }>(seen: string[]): PlainState<Message> {
  const state: PlainState<Message> = {
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
  return state
}
