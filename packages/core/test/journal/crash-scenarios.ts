import { type ClaudeOptions, type FaultRule, text, thinking, toolUse, type Turn } from '@millrace/testing'
import { type AgentOptions, defineTool, type Retraction, type Tool } from '../../src/index.ts'

/** One execution of a tool with effects. */
export interface Effect {
  readonly name: string
  readonly idempotencyKey: string
}

const inputSchema = { jsonSchema: { type: 'object' } }

/** The tools of every process; what they do is done to the one world that all processes share. */
export function toolsOn(world: Effect[]): readonly Tool[] {
  const act =
    (name: string) =>
    (_: unknown, { idempotencyKey }: { readonly idempotencyKey: string }) => {
      world.push({ name, idempotencyKey })
      return `${name} is done`
    }
  return [
    defineTool({ name: 'look_up', description: '', inputSchema, readOnly: true, run: () => 'found' }),
    defineTool({ name: 'charge', description: '', inputSchema, run: act('charge') }),
    defineTool({ name: 'mail', description: '', inputSchema, idempotent: true, run: act('mail') }),
    defineTool({
      name: 'book',
      description: '',
      inputSchema,
      reconcile(_, { idempotencyKey }) {
        const happened = world.some((effect) => effect.name === 'book' && effect.idempotencyKey === idempotencyKey)
        return happened ? { happened, result: 'book is done' } : { happened }
      },
      run: act('book'),
    }),
  ]
}

const lookUp = toolUse('look_up', { order: 17 }, { id: 'toolu_look' })
const charge = toolUse('charge', { cents: 5 }, { id: 'toolu_charge' })
const mail = toolUse('mail', { to: 'ada' }, { id: 'toolu_mail' })
const book = toolUse('book', { seat: 4 }, { id: 'toolu_book' })
const chunking = { sizes: [6] }

const turns: readonly Turn[] = [
  { content: [thinking('Three things to do.'), text('I do all of it now.'), lookUp, charge, mail], chunking },
  { content: [text('And a seat is booked.'), book], chunking },
  { content: [text('All of it is done.')], chunking },
]

export interface Scenario {
  readonly turns: readonly Turn[]
  /** What the model says to the processes that take over. Default: the same. */
  readonly afterwards?: ClaudeOptions['script']
  /** Further tools of every process. */
  readonly tools?: (world: Effect[]) => readonly Tool[]
  readonly faults?: readonly FaultRule[]
  readonly options?: Partial<AgentOptions>
  readonly retraction?: Retraction
  readonly mode?: 'stream' | 'buffered'
  /** Whether streams arrive one event a read, so that tools which start early end early. */
  readonly frameByFrame?: boolean
  /** How the run ends, crash or not. */
  readonly outcome: 'completed' | 'refused' | 'limit' | 'failed'
}

/** Text before a call, behind it, and in the turn after. */
const around: readonly Turn[] = [
  { content: [text('These are the words before it.'), charge, text('And these come after it.')], chunking },
  { content: [text('With these it ends.')], chunking },
]

/** The same in other words, whether it is asked anew or to go on. */
const inOtherWords: ClaudeOptions['script'] = ({ toolResults }) =>
  toolResults.length > 0
    ? { content: [text('All is said, differently.')], chunking }
    : { content: [text('These differ.'), charge, text('So do these.')], chunking }

/** Runs whose text may not be withdrawn, and those whose text may, taken over by a model that finds other words. */
export const reworded: Readonly<Record<'retract' | 'hold' | 'continue' | 'fail', Scenario>> = {
  retract: { turns: around, afterwards: inOtherWords, retraction: 'retract', outcome: 'completed' },
  hold: { turns: around, afterwards: inOtherWords, retraction: 'hold', outcome: 'completed' },
  continue: { turns: around, afterwards: inOtherWords, retraction: 'continue', outcome: 'completed' },
  fail: { turns: around, afterwards: inOtherWords, retraction: 'fail', outcome: 'completed' },
}

/** Runs that are crashed at every event. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'that streams': { turns, outcome: 'completed' },
  'that does not stream': { turns, mode: 'buffered', outcome: 'completed' },
  'whose tools start early': { turns, options: { eagerTools: true }, outcome: 'completed' },
  'that is held back': { turns, retraction: 'hold', outcome: 'completed' },
  'whose stream broke before its calls': {
    turns,
    faults: [{ kind: 'destroy', at: { event: 9 }, stream: true, times: 2 }],
    outcome: 'completed',
  },
  'that was salvaged': { turns, faults: [{ kind: 'destroy', at: { event: 24 }, turn: 1 }], outcome: 'completed' },
  'whose shown text was continued': {
    turns: [
      { content: [text('This is a longer text before a call.'), charge], chunking },
      { content: [text('Charged.')], chunking },
    ],
    faults: [{ kind: 'destroy', at: { event: 6 }, times: 1 }],
    retraction: 'continue',
    outcome: 'completed',
  },
  'whose text may be withdrawn, and is worded differently afterwards': reworded.retract,
  'whose text is held back, and is worded differently afterwards': reworded.hold,
  'whose text is to be continued, and is worded differently afterwards': reworded.continue,
  'whose text is to be continued, with a call in the middle': {
    turns: around,
    retraction: 'continue',
    outcome: 'completed',
  },
  'that paused': {
    turns: [
      {
        content: [
          text('I search.'),
          { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'x' } },
        ],
        stopReason: 'pause_turn',
      },
      {
        content: [{ type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }, text('Found.'), charge],
        chunking,
      },
      { content: [text('Charged.')] },
    ],
    outcome: 'completed',
  },
  'that is refused': {
    turns: [
      { content: [text('I charge.'), charge], chunking },
      { content: [text('This I will not say.')], stopReason: 'refusal', chunking },
    ],
    outcome: 'refused',
  },
  'that runs out of tokens': {
    turns: [
      { content: [text('I charge.'), charge], chunking },
      { content: [text('Too long to'), lookUp], stopReason: 'max_tokens', chunking },
    ],
    outcome: 'limit',
  },
  'that fails in the middle of a text': {
    turns: [
      { content: [text('I charge.'), charge], chunking },
      { content: [text('This text never comes to its end.')], chunking },
    ],
    faults: [{ kind: 'error-event', errorType: 'invalid_request_error', at: { event: 5 }, turn: 2, times: 'forever' }],
    mode: 'stream',
    outcome: 'failed',
  },
}
