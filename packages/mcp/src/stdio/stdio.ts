import type { Transport } from '@modelcontextprotocol/client'
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import type { McpTransportServer } from '../server.ts'

export interface StdioOptions {
  readonly command: string
  readonly args?: readonly string[]
  /** Added to the few harmless variables (`PATH`, `HOME` …) that a server inherits; secrets are not among them. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Hears what the server writes to its standard error. Default: it is thrown away. */
  readonly onStderr?: (text: string) => void
  readonly trustHints?: boolean
  readonly required?: boolean
}

/** A server that is started as a program of its own and spoken to over its standard input and output. Node only. */
export function stdio(options: StdioOptions): McpTransportServer {
  const { command, args = [], env = {}, cwd, onStderr, trustHints, required } = options
  return {
    ...(trustHints === undefined ? {} : { trustHints }),
    ...(required === undefined ? {} : { required }),
    transport(): Transport {
      const transport = new StdioClientTransport({
        command,
        args: [...args],
        env: { ...getDefaultEnvironment(), ...env },
        ...(cwd === undefined ? {} : { cwd }),
        stderr: onStderr === undefined ? 'ignore' : 'pipe',
      })
      transport.stderr?.on('data', (chunk: unknown) => onStderr?.(String(chunk)))
      return transport
    },
  }
}
