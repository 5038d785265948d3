import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { StoreName } from './stores.ts'

/** What an instance of the service is started with. */
export interface InstanceOptions {
  readonly store: StoreName
  readonly address: string
  readonly origin: number
  readonly port: number
  readonly modelUrl: string
  readonly effectsUrl: string
}

export interface Instance {
  readonly port: number
  /** Ends the process by a signal, and starts it again. */
  restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  close(): Promise<void>
}

export function parseInstance(json: string): InstanceOptions {
  return JSON.parse(json)
}

export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const program = fileURLToPath(new URL('server.ts', import.meta.url))

  async function start() {
    const child = fork(program, [JSON.stringify(options)], {
      execArgv: ['--conditions=millrace-source'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const exited = once(child, 'exit')
    await Promise.race([
      once(child, 'message'),
      exited.then(() => Promise.reject(new Error('an instance ended before it was ready'))),
    ])
    return { child, exited }
  }

  let running = await start()
  return {
    port: options.port,
    async restart(signal) {
      running.child.kill(signal)
      await running.exited
      running = await start()
    },
    async close() {
      running.child.kill('SIGKILL')
      await running.exited
    },
  }
}
