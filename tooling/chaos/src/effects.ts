import { createServer } from 'node:http'
import { once } from 'node:events'
import type { ToolName } from './conversation.ts'

/** Counts what tools do, outside of the processes that die. */
export interface Effects {
  readonly url: string
  /** How often the effect of a call was made. */
  count(name: ToolName, key: string): number
  /** The keys of all calls of a tool. */
  keys(name: ToolName): readonly string[]
  close(): Promise<void>
}

/** Makes an effect as tools do: over HTTP, where the answer may never arrive. */
export async function makeEffect(url: string, name: ToolName, key: string): Promise<void> {
  const response = await fetch(`${url}/${name}/${encodeURIComponent(key)}`, { method: 'POST' })
  await response.arrayBuffer()
}

export async function startEffects(): Promise<Effects> {
  const counts = new Map<string, number>()
  const server = createServer((request, response) => {
    const key = decodeURIComponent(request.url ?? '')
    counts.set(key, (counts.get(key) ?? 0) + 1)
    // Long enough for a process to die between the effect and its answer.
    setTimeout(() => response.end(), 40)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    count: (name, key) => counts.get(`/${name}/${key}`) ?? 0,
    keys: (name) =>
      [...counts.keys()].filter((key) => key.startsWith(`/${name}/`)).map((key) => key.slice(name.length + 2)),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
