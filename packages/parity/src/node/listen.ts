import type { Server } from 'node:http'
import { ParityError } from '../kit/errors.ts'

/** Listens on 127.0.0.1, on a free port unless one is given. Rejects with a ParityError `listen_failed`. */
export async function listenLocally(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void => {
      reject(new ParityError('listen_failed', `cannot listen on 127.0.0.1:${port}`, { cause }))
    }
    server.once('error', onError)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', onError)
      resolve()
    })
  })
  const address = server.address()
  const actual = address === null || typeof address === 'string' ? port : address.port
  return `http://127.0.0.1:${actual}`
}

/** Stops listening and closes every connection. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
