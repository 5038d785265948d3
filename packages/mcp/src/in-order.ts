import type { Transport } from '@modelcontextprotocol/client'

/**
 * Delivers a response a moment after what came before it. The SDK handles notifications in a microtask and responses at
 * once, so that the last progress before a result would find its handler gone. To be called once the client is connected.
 */
export function deliverInOrder(transport: Transport): void {
  const deliver = transport.onmessage
  if (deliver === undefined) return
  // Three turns of the queue: the notification's handler runs in the first or second.
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  }
  transport.onmessage = (message, extra) => {
    const isResponse = 'id' in message && !('method' in message)
    if (isResponse) void turns().then(() => deliver(message, extra))
    else deliver(message, extra)
  }
}
