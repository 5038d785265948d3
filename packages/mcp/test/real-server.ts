import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Transport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import type { McpTransportServer } from '../src/index.ts'
import { stdio } from '../src/stdio/index.ts'

const require = createRequire(import.meta.url)

/** A real server that runs as a program, with a view of its connections. */
export interface RealServer extends McpTransportServer {
  /** Returns the process ids of the servers started so far. */
  readonly pids: () => number[]
  /** The methods of the messages sent to it. */
  readonly sent: string[]
}

function program(manifest: string, args: readonly string[]): RealServer {
  const entry = join(dirname(manifest), 'dist', 'index.js')
  const server = stdio({ command: process.execPath, args: [entry, ...args] })
  const started: StdioClientTransport[] = []
  const sent: string[] = []
  return {
    ...server,
    sent,
    pids: () => started.flatMap(({ pid }) => (pid === null ? [] : [pid])),
    transport(onHookFailed): Transport {
      const transport = server.transport(onHookFailed)
      if (!(transport instanceof StdioClientTransport)) throw new TypeError('expected a StdioClientTransport')
      const send = transport.send.bind(transport)
      transport.send = (message) => {
        if ('method' in message) sent.push(message.method)
        return send(message)
      }
      started.push(transport)
      return transport
    },
  }
}

export function everything(): RealServer {
  return program(require.resolve('@modelcontextprotocol/server-everything/package.json'), [])
}

export function filesystem(folder: string): RealServer {
  return program(require.resolve('@modelcontextprotocol/server-filesystem/package.json'), [folder])
}
