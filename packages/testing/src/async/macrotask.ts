/**
 * Resolves in a later task of the event loop, when every promise that could settle by then has settled. Fake timers do
 * not hold it up, since it is made of no timer.
 */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener('message', () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(undefined)
  })
}
