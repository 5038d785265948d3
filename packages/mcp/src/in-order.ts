import type { Transport } from '@modelcontextprotocol/client'

/**
 * Delivers each response after the notifications that arrived before it. The SDK handles responses at once but
 * notifications in a microtask, so the last progress of a call would arrive after its handler is gone. Call it once the
 * client is connected.
 */
export function deliverInOrder(transport: Transport): void {
  const deliver = transport.onmessage
  if (deliver === undefined) return
  // The handler of a notification runs in the first or second turn of the microtask queue.
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  }
  transport.onmessage = (message, extra) => {
    const isResponse = 'id' in message && !('method' in message)
    if (isResponse) void turns().then(() => deliver(message, extra))
    else deliver(message, extra)
  }
}
