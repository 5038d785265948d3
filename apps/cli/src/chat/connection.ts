import Anthropic from '@anthropic-ai/sdk'
import type { ScriptedClaude } from '@millrace/testing'

type Environment = Readonly<Record<string, string | undefined>>

/** The model that answers. */
export interface Connection {
  readonly client: Anthropic
  /** Says to the user what it is, and where. */
  readonly description: string
  close(): Promise<void>
}

/** Starts the scripted server. */
export type StartScripted = () => Promise<ScriptedClaude>

/** Connects to the API that the environment names, else to the scripted server. Rejects with what to set when neither works. */
export async function connect(env: Environment, startScripted: StartScripted = startDemoServer): Promise<Connection> {
  const key = given(env['ANTHROPIC_API_KEY'])
  const baseURL = given(env['ANTHROPIC_BASE_URL'])
  if (key === undefined && baseURL === undefined) return connectToScripted(startScripted)
  if (baseURL !== undefined && !URL.canParse(baseURL)) {
    throw new Error(`ANTHROPIC_BASE_URL must be a URL such as "http://127.0.0.1:8080", not "${baseURL}"`)
  }
  return {
    client: new Anthropic({
      // Your own server may need no key, but the client does not start without one.
      apiKey: key ?? 'none',
      ...(baseURL !== undefined && { baseURL }),
    }),
    description: `${baseURL ?? 'the Anthropic API'}, ${key === undefined ? 'without a key' : 'with ANTHROPIC_API_KEY'}`,
    close: () => Promise.resolve(),
  }
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim()
}

async function startDemoServer(): Promise<ScriptedClaude> {
  const { demoScript, startClaude } = await import('@millrace/testing')
  return startClaude({ script: demoScript, pace: { tokensPerSecond: 40 } })
}

async function connectToScripted(startScripted: StartScripted): Promise<Connection> {
  try {
    const claude = await startScripted()
    return {
      client: new Anthropic({ baseURL: claude.url, apiKey: 'not-needed-by-the-scripted-server' }),
      description: `a scripted server on this machine (${claude.url}); set ANTHROPIC_API_KEY to talk to Claude`,
      close: () => claude.close(),
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(
      'no model to talk to: set ANTHROPIC_API_KEY for Claude, or ANTHROPIC_BASE_URL for another server of the ' +
        `Messages API; the scripted server, which needs neither, did not start: ${why}`,
      { cause },
    )
  }
}
