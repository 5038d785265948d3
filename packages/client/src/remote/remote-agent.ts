import {
  createRun,
  type DrivableAgent,
  MillraceError,
  type PreparedRun,
  readRetraction,
  type RunInput,
} from '@millrace/core'
import { aDelay, aFunction, aListOf, anId, checkOptions } from '@millrace/core/kit'
import { parseStartRun, type StartRunBody } from '@millrace/wire'
import { type ClientOptions, type ClientSettings, clientRules, readClientOptions } from '../http/client-options.ts'
import { prepareRemote } from './remote-run.ts'

export interface RemoteAgentOptions extends Omit<ClientOptions, 'headers' | 'rawContent'> {
  /** Headers of every request of a run, or a function that returns them, so that the service knows who asks. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | ((input: RunInput) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)
  /** Returns plain JSON that is kept with the run. */
  readonly metadata?: (input: RunInput) => Readonly<Record<string, unknown>>
  /** The service's tools without effects. A call of another one counts as an effect when the run is handed over. */
  readonly readOnlyTools?: readonly string[]
  /**
   * How long an interrupted run may take to end, in milliseconds. The run then ends here, `interrupted`, whether or not
   * the service has answered. Default: 40,000.
   */
  readonly interruptTimeoutMs?: number
  /** Told of what was recovered from. A throw is ignored. */
  readonly onWarning?: (error: MillraceError) => void
}

const { rawContent: _, ...rulesOfClient } = clientRules
const rules = {
  ...rulesOfClient,
  metadata: aFunction,
  readOnlyTools: aListOf(anId),
  interruptTimeoutMs: aDelay(0),
  onWarning: aFunction,
}

/**
 * Returns an agent that runs in another process, behind `@millrace/server`. The server must allow raw content: history is
 * rebuilt from it. When the service fails and cannot be reached again, the run ends `failed` with what is known of it. A
 * call that the model had asked for and whose end never came is of unknown outcome. `adaptLoop` then hands over.
 *
 * `user`, `flags` and `owner` of a run's input stay here, and `request` is refused: the service decides those. `reconnect`
 * defaults to 3 attempts within 2 seconds each, `requestTimeoutMs` to 5,000.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function remoteAgent(options: RemoteAgentOptions): DrivableAgent {
  checkOptions(options, '', rules)
  const { headers, metadata, readOnlyTools = [], interruptTimeoutMs = 40_000, onWarning, ...rest } = options
  const reconnect = { attempts: 3, maxDelayMs: 2000, ...rest.reconnect }
  const settings = { ...readClientOptions({ requestTimeoutMs: 5000, ...rest, reconnect }), rawContent: true }
  const { runtime } = settings

  function prepare(input: RunInput): PreparedRun {
    const body = toBody(input, metadata)
    const settingsOfRun = headers === undefined ? settings : { ...settings, headers: headersOf(headers, input) }
    return prepareRemote({ settings: settingsOfRun, input, body, readOnlyTools, interruptTimeoutMs })
  }

  return {
    prepare,
    durable: false,
    run(input) {
      const prepared = prepare(input)
      const runId = input.runId ?? runtime.newId()
      return createRun({
        runId,
        runtime,
        onWarning,
        drive(handle) {
          handle.attach(input.callbacks, input.signal)
          return prepared.drive(handle)
        },
        crashed: (error, handle) => prepared.crashed(handle, error),
      })
    },
  }
}

function headersOf(headers: NonNullable<RemoteAgentOptions['headers']>, input: RunInput): ClientSettings['headers'] {
  return typeof headers === 'function' ? () => headers(input) : () => headers
}

function toBody(input: RunInput, metadata: RemoteAgentOptions['metadata']): StartRunBody {
  if (input.request !== undefined) {
    throw new MillraceError('invalid_input', 'a remote agent sets its own request parameters', { path: 'request' })
  }
  const { messages, sessionId, mode } = input
  return parseStartRun({
    messages,
    // What the consumer here can do decides what the service may do.
    retraction: readRetraction(input),
    ...(sessionId !== undefined && { sessionId }),
    ...(mode !== undefined && { mode }),
    ...(metadata && { metadata: metadata(input) }),
  })
}
