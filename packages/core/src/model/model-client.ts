import type { AssistantMessage, Message } from '../protocol/messages.ts'

/** The body of a Messages API request, `messages` and all. */
export interface RequestBody {
  readonly messages: readonly Message[]
  readonly [parameter: string]: unknown
}

/** What the loop sets on each request: it owns every retry and every deadline. */
export interface RequestOptions {
  readonly maxRetries: number
  readonly timeout: number
  readonly signal: AbortSignal
}

/**
 * What the loop needs of a model client: `messages.create`, streaming and not. The clients of `@anthropic-ai/sdk` and
 * of its Bedrock, Vertex, Foundry, AWS and Google Cloud packages satisfy it as they are, and so does `client.beta`.
 * Where the promise of a streaming call has `asResponse`, the raw bytes are read, else the iterable that it gives.
 */
export interface ModelClient {
  readonly messages: {
    // The parameter types of the SDKs are narrower than ours and differ from each other; methods compare bivariantly.
    create(body: never, options?: never): PromiseLike<unknown>
  }
}

/** Calls `create` with a body that the caller's options have typed. */
export function createMessage(client: ModelClient, body: RequestBody, options: RequestOptions): unknown {
  const { messages }: { readonly messages: object } = client
  const create: unknown = Reflect.get(messages, 'create')
  return typeof create === 'function' ? Reflect.apply(create, messages, [body, options]) : undefined
}

/** Recognises a whole answer by its shape. */
export function isAssistantMessage(value: unknown): value is AssistantMessage {
  if (typeof value !== 'object' || value === null) return false
  return 'content' in value && Array.isArray(value.content) && 'stop_reason' in value && 'usage' in value
}
