import { aBoolean, aFunction, aListOf, anId, aRecordOf, checkOptions, refuse, rule } from '@millrace/core/kit'
import type { Transport } from '@modelcontextprotocol/client'
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { callHook } from '../hooks.ts'
import type { HookFailed, McpTransportServer } from '../server.ts'
import { decodeText } from './decode-text.ts'

export interface StdioOptions {
  readonly command: string
  readonly args?: readonly string[]
  /** Added to the few harmless variables that a server inherits, such as `PATH` and `HOME`. Secrets are not inherited. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Receives what the server writes to its standard error, in pieces of whole characters. Default: it is discarded. */
  readonly onStderr?: (text: string) => void
  readonly trustHints?: boolean
  readonly required?: boolean
}

const aString = rule((value) => typeof value === 'string', 'must be a string')

/**
 * Starts a server as a program and reaches it over its standard input and output. Node only.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function stdio(options: StdioOptions): McpTransportServer {
  checkOptions(options, '', {
    command: anId,
    args: aListOf(aString),
    env: aRecordOf(aString),
    cwd: anId,
    onStderr: aFunction,
    trustHints: aBoolean,
    required: aBoolean,
  })
  const { command, args = [], env = {}, cwd, onStderr, trustHints, required } = options
  if (command === undefined) refuse('command', 'is missing')
  return {
    ...(trustHints === undefined ? {} : { trustHints }),
    ...(required === undefined ? {} : { required }),
    transport(onHookFailed: HookFailed): Transport {
      const transport = new StdioClientTransport({
        command,
        args: [...args],
        env: { ...getDefaultEnvironment(), ...env },
        ...(cwd === undefined ? {} : { cwd }),
        stderr: onStderr === undefined ? 'ignore' : 'pipe',
      })
      if (onStderr !== undefined && transport.stderr !== null) {
        decodeText(transport.stderr, (text) => callHook(onStderr, text, (cause) => onHookFailed('onStderr', cause)))
      }
      return transport
    },
  }
}
