import { InMemoryTransport, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/client'
import type { McpTransportServer } from '../src/index.ts'

export type Answer = Readonly<Record<string, unknown>>

/** One `tools/call` that the test answers. */
export interface PendingCall {
  readonly name: string
  readonly arguments: unknown
  readonly cancelled: boolean
  progress(progress: number, total?: number): void
  answer(result: Answer): void
  fail(code: number, message: string): void
}

/** A server in the same process that does only what the test says. */
export interface ScriptedServer extends McpTransportServer {
  transport: () => Transport
  /** The answers to `tools/list`, page by page. */
  pages: readonly (readonly unknown[])[]
  /** Returns the next call, also one that came before. */
  nextCall(): Promise<PendingCall>
  readonly connections: number
  /** The cursor of each `tools/list` so far. */
  readonly cursors: readonly unknown[]
  /** Whether to refuse the next connections. */
  refuse: boolean
  /** Whether to report a change while the next list is requested, before it is answered. */
  changeWhileListing: boolean
  listChanged(): void
  /** Ends the connection, as a server that dies does. */
  die(): Promise<void>
}

export function scriptedServer(...tools: readonly unknown[]): ScriptedServer {
  const calls: PendingCall[] = []
  const waiting: ((call: PendingCall) => void)[] = []
  let side: InMemoryTransport | undefined
  let connections = 0
  const cursors: unknown[] = []
  const cancelled = new Set<unknown>()

  const send = (message: Record<string, unknown>): void => {
    const full: unknown = JSON.parse(JSON.stringify({ jsonrpc: '2.0', ...message }))
    const isMessage = (value: unknown): value is JSONRPCMessage => typeof value === 'object' && value !== null
    if (isMessage(full)) void side?.send(full)
  }

  function call(id: unknown, params: Record<string, unknown>): void {
    const meta = params['_meta']
    const token: unknown = typeof meta === 'object' && meta !== null ? Reflect.get(meta, 'progressToken') : undefined
    const pending: PendingCall = {
      name: String(params['name']),
      arguments: params['arguments'],
      get cancelled() {
        return cancelled.has(id)
      },
      progress: (progress, total) =>
        send({ method: 'notifications/progress', params: { progressToken: token, progress, total } }),
      answer: (result) => send({ id, result }),
      fail: (code, message) => send({ id, error: { code, message } }),
    }
    const next = waiting.shift()
    if (next === undefined) calls.push(pending)
    else next(pending)
  }

  function handle(message: JSONRPCMessage): void {
    if (!('method' in message)) return
    const params: Record<string, unknown> = { ...message.params }
    if (message.method === 'notifications/cancelled') cancelled.add(params['requestId'])
    if (!('id' in message)) return
    const { id } = message
    if (message.method === 'initialize') {
      const { protocolVersion } = params
      const capabilities = { tools: { listChanged: true } }
      send({ id, result: { protocolVersion, capabilities, serverInfo: { name: 'scripted', version: '1' } } })
    } else if (message.method === 'tools/list') {
      cursors.push(params['cursor'])
      if (server.changeWhileListing) {
        server.changeWhileListing = false
        server.listChanged()
      }
      const page = Number(params['cursor'] ?? 0)
      const nextCursor = page + 1 < server.pages.length ? String(page + 1) : undefined
      send({ id, result: { tools: server.pages[page] ?? [], nextCursor } })
    } else if (message.method === 'tools/call') call(id, params)
  }

  const server: ScriptedServer = {
    pages: [tools],
    refuse: false,
    changeWhileListing: false,
    get connections() {
      return connections
    },
    cursors,
    transport(): Transport {
      if (server.refuse) throw new Error('refused')
      connections += 1
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      side = theirs
      theirs.onmessage = handle
      void theirs.start()
      return ours
    },
    nextCall: () =>
      new Promise((resolve) => {
        const first = calls.shift()
        if (first === undefined) waiting.push(resolve)
        else resolve(first)
      }),
    listChanged: () => send({ method: 'notifications/tools/list_changed' }),
    die: async () => side?.close(),
  }
  return server
}

/** Returns a tool as a server lists it. */
export function listed(name: string, more: Answer = {}): Answer {
  return { name, description: `Does ${name}.`, inputSchema: { type: 'object' }, ...more }
}
