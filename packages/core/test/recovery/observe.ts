import { type ScriptedClaude, validateMessages } from '@millrace/testing'
import {
  type AgentCallbacks,
  type AgentEvent,
  type AgentOptions,
  type AgentRun,
  type Clock,
  createAgent,
  defineTool,
  type ModelClient,
  type RunInput,
  type RunResult,
  type Tool,
} from '../../src/index.ts'
import { request } from '../support/scripted.ts'
import { type Case, type Job, readN, sayJob, type ToolNature } from './arbitrary-jobs.ts'
import { quietClock } from './quiet-clock.ts'
import { createScreen, historyText, type Screen } from './screen.ts'

/** What a run under test is started with; a mutant starts another one. */
/** What is looked at of a run. */
type ObservedRun = Omit<AgentRun, 'batches' | 'move'>

export type Start = (options: AgentOptions, input: RunInput) => ObservedRun

export const millrace: Start = (options, input) => createAgent(options).run(input)

/** Everything about one run that a promise is about. */
export interface Observation {
  readonly events: readonly AgentEvent[]
  /** Undefined where the run did not end. */
  readonly result: RunResult | undefined
  readonly screen: Screen
  /** What `onText` was given, less what `onRetract` took back; undefined without such callbacks. */
  readonly shownByCallbacks: string | undefined
  readonly historyText: string
  /** How often each call ran, by its `n`, of tools that are not read-only. */
  readonly effects: ReadonlyMap<number, number>
  /** The calls of such tools that began and never ended by themselves. */
  readonly neverEnded: ReadonlySet<number>
  /** What is wrong with the history as the start of a next request; undefined where nothing is. */
  readonly nextRequest: string | undefined
}

/** For what hangs, in real ms; no promise is about it. */
const hangs = 30_000

/** Makes each conversation one that the server has not seen: it counts how often the same messages were asked. */
let conversations = 0

const inputSchema = {
  jsonSchema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
  validate: (value: unknown) =>
    readN(value) === undefined ? { issues: [{ message: 'n is missing' }] } : { value: { n: readN(value) ?? 0 } },
}

interface Effects {
  readonly effects: Map<number, number>
  readonly neverEnded: Set<number>
}

function makeTools({ tools }: Job, clock: AgentOptions['runtime'], { effects, neverEnded }: Effects): Tool[] {
  return tools.map((nature, index) =>
    defineTool({
      name: `tool_${index}`,
      description: '',
      inputSchema,
      readOnly: nature.readOnly,
      idempotent: nature.idempotent,
      timeout: 4_000,
      ...(nature.reconcile !== 'none' && { reconcile: () => reconcile(nature) }),
      run({ n }, context) {
        if (!nature.readOnly) effects.set(n, (effects.get(n) ?? 0) + 1)
        return behave(nature, n, context.signal)
      },
    }),
  )

  function behave({ behaviour, readOnly }: ToolNature, n: number, signal: AbortSignal): unknown {
    switch (behaviour) {
      case 'answers':
        return `answer ${n}`
      case 'throws':
        throw new Error(`no answer ${n}`)
      case 'generator':
        return (async function* () {
          yield { progress: 1, total: 2 }
          await Promise.resolve()
          yield { progress: 2, total: 2 }
          return { answer: n }
        })()
      case 'slow':
        return new Promise((resolve) => {
          const cancel = clock?.clock?.setTimer(() => resolve(`late answer ${n}`), 2_000)
          signal.addEventListener('abort', () => (cancel?.(), resolve(`aborted ${n}`)), { once: true })
        })
      case 'stops':
        if (!readOnly) neverEnded.add(n)
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
        )
      case 'unresponsive':
        if (!readOnly) neverEnded.add(n)
        return new Promise(() => {})
    }
  }
}

function reconcile({
  reconcile: how,
}: ToolNature): { happened: true; result: unknown } | { happened: false } | undefined {
  if (how === 'throws') throw new Error('cannot look')
  if (how === 'happened') return { happened: true, result: 'it happened' }
  return how === 'not happened' ? { happened: false } : undefined
}

/** Callbacks that show text as a user would, and what they show. */
function showingCallbacks({ consumer }: Case): { callbacks: AgentCallbacks; shown: () => string } | undefined {
  if (consumer === 'events') return undefined
  let shown = ''
  const onText = (text: string): void => {
    shown += text
  }
  const onRetract: AgentCallbacks['onRetract'] = ({ text }) => {
    shown = shown.endsWith(text) ? shown.slice(0, shown.length - text.length) : `${shown}<retracted: ${text}>`
  }
  return {
    callbacks: consumer === 'callbacks that retract' ? { onText, onRetract } : { onText },
    shown: () => shown,
  }
}

export interface ObserveOptions {
  readonly claude: ScriptedClaude
  readonly client: ModelClient
  /** Default: ours. */
  readonly start?: Start
  /** Default: one that jumps when all is quiet. */
  readonly clock?: Clock
}

/** Runs one case to its end and gives all that can be seen of it. */
export async function observe(given: Case, options: ObserveOptions): Promise<Observation> {
  const { claude, client, start = millrace } = options
  const { job, faults, interrupt, retraction, eagerTools, mode } = given
  const quiet = quietClock(() => activity(claude) + events.length)
  const clock = options.clock ?? quiet
  const events: AgentEvent[] = []
  const screen = createScreen()
  const counts: Effects = { effects: new Map(), neverEnded: new Set() }
  const runtime = { clock, random: () => 0.5 }
  const agentOptions: AgentOptions = {
    client,
    request,
    tools: makeTools(job, runtime, counts),
    eagerTools,
    limits: { turns: 14 },
    runtime,
  }
  claude.setScript((conversation) => sayJob(job, conversation))
  claude.setFaults(faults)
  const controller = new AbortController()
  const showing = showingCallbacks(given)
  let run: ObservedRun | undefined
  const onEvent = ({ seq }: AgentEvent): void => {
    if (seq !== interrupt?.seq) return
    if (interrupt.bySignal) controller.abort()
    else run?.interrupt('user')
  }
  try {
    run = start(agentOptions, {
      messages: [{ role: 'user', content: `Question ${conversations++}` }],
      mode,
      retraction,
      signal: controller.signal,
      callbacks: { ...showing?.callbacks, onEvent },
    })
    const ended = collect(run, (event) => (events.push(event), screen.take(event)))
    const result = await orNothing(ended, hangs)
    return {
      events,
      result,
      screen,
      shownByCallbacks: showing?.shown(),
      historyText: historyText(result?.newMessages ?? []),
      ...counts,
      nextRequest: result === undefined ? 'no result' : await tryNext(agentOptions, claude, result),
    }
  } finally {
    quiet.stop()
  }
}

async function collect(run: ObservedRun, take: (event: AgentEvent) => void): Promise<RunResult> {
  for await (const event of run) take(event)
  return run.result
}

/** Differs whenever bytes, requests or connections have moved. */
function activity({ stats, openSockets }: ScriptedClaude): number {
  return stats.bytesSent * 1_009 + stats.requests * 31 + stats.openRequests * 7 + openSockets
}

async function orNothing<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Goes on from the history, by our own rules for messages, by those of the API, and with a server that applies them. */
async function tryNext(
  { client, request: parameters }: AgentOptions,
  claude: ScriptedClaude,
  { messages }: RunResult,
): Promise<string | undefined> {
  const next = [...messages, { role: 'user' as const, content: 'And now?' }]
  const problem = validateMessages(next)
  if (problem !== undefined) return `${problem.path}: ${problem.message}`
  claude.setFaults([])
  claude.setScript(() => ({ content: [{ type: 'text', text: 'Carried on.' }] }))
  const { text, error } = await createAgent({ client, request: parameters }).run({ messages: next }).result
  return text === 'Carried on.' ? undefined : `the next run said "${text}": ${error?.message}`
}
