import type { FlagDocument } from '@millrace/flags'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What Node needs to run a program as the tests run: from the sources of the packages. */
export function programArguments(program: URL): string[] {
  return ['--conditions=millrace-source', fileURLToPath(program)]
}

export interface FlagServer {
  /** Puts a set there, and gives the address that it has: a base of OFREP, with `flags.json` under it. */
  put(document: FlagDocument): Promise<string>
  stop(): void
}

/** Starts a flag server, in a process of its own. */
export async function startFlagServer(): Promise<FlagServer> {
  const child = spawn(process.execPath, programArguments(new URL('flag-server.ts', import.meta.url)), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port]: unknown[] = await once(child.stdout, 'data')
  let count = 0
  return {
    async put(document) {
      const address = `http://127.0.0.1:${String(port).trim()}/${++count}`
      const { status } = await fetch(address, { method: 'PUT', body: JSON.stringify(document) })
      if (status !== 200) throw new Error('the server does not take these flags')
      return address
    },
    stop: () => void child.kill(),
  }
}
