import { isRecord } from '../kit/guards.ts'
import { bufferedSource, collectedSource } from '../model/buffered-source.ts'
import { streamSource } from '../model/stream-source.ts'
import type { TurnSource } from '../model/turn-source.ts'
import type { TurnMode } from '../protocol/events.ts'
import type { Request } from '../recovery/ladder.ts'
import { compose } from '../run/compose.ts'
import type { TurnEnd, TurnScope } from '../run/middleware.ts'
import { type AttemptEnd, runAttempt } from './attempt.ts'
import { buildRequest } from './build-request.ts'
import type { OpenTurn } from './open-turn.ts'
import type { RunContext } from './run-context.ts'

const sources: Readonly<Record<Request, (run: RunContext) => TurnSource>> = {
  stream: ({ settings: { client, runtime, recovery } }) =>
    streamSource({ client, clock: runtime.clock, limits: recovery }),
  buffered: ({ settings: { client, runtime, recovery } }) =>
    bufferedSource({ client, clock: runtime.clock, timeout: recovery.bufferedTimeout }),
  collected: (run) => collectedSource(sources.stream(run)),
}

export const modeOf = (request: Request): TurnMode => (request === 'stream' ? 'stream' : 'buffered')

/** Makes one request, inside the middleware. */
export async function askModel(
  run: RunContext,
  open: OpenTurn,
  attempt: number,
  request: Request,
): Promise<AttemptEnd> {
  const { settings, scope, handle, state } = run
  const { turn, tools, shown, said = '', prompt } = open
  const history = [...state.given, ...state.added, ...prompt]
  const body = buildRequest(run, tools.tools, history)
  const first: TurnScope = { ...scope, turn, attempt, mode: modeOf(request), request: body }
  let end: AttemptEnd | undefined
  await compose(settings.use, first, {
    scope,
    layerOf: ({ turn: around }) => around,
    clock: settings.runtime.clock,
    grace: settings.limits.middlewareGrace,
    report: handle.report,
    accept: (given, called): given is TurnEnd => called && isRecord(given) && typeof given['status'] === 'string',
    core: async (changed): Promise<TurnEnd> => {
      end = await runAttempt({
        source: sources[request](run),
        request: changed.request,
        history,
        said,
        signal: handle.signal,
        ready: handle.ready,
        onDrain: handle.defer,
        shown,
        batch: handle.batch,
        onCall: (call) => {
          if (settings.eagerTools) tools.startEarly(call, attempt)
        },
        // Asking again without streaming gives a parsed input; only where that was not possible is the model told.
        acceptsInvalidInput: ({ block: { name } }) =>
          request === 'collected' ||
          (typeof name === 'string' && tools.tools.get(name)?.definition['eager_input_streaming'] === true),
      })
      return end
    },
  })
  if (end === undefined) throw new TypeError('unreachable')
  return end
}
