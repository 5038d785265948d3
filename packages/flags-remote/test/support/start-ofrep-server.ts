import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface OfrepServer {
  readonly baseUrl: string
  stop(): void
}

/** Starts the OFREP server, in a process of its own. */
export async function startOfrepServer(): Promise<OfrepServer> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('ofrep-server.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port]: unknown[] = await once(child.stdout, 'data')
  return { baseUrl: `http://127.0.0.1:${String(port).trim()}`, stop: () => void child.kill() }
}
