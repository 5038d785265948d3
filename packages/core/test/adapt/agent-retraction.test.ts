import { AsyncLocalStorage } from 'node:async_hooks'
import { type FaultPlan, text } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import type { AdaptedInput, AgentCallbacks, AgentEvent, AgentRun, LegacyScope, Retraction } from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'
import { secondTurnBreaks, setUp } from './set-up.ts'

const retractions: readonly Retraction[] = ['auto', 'retract', 'continue', 'hold', 'fail']
const readers: readonly (readonly [string, AgentCallbacks | undefined])[] = [
  ['events', undefined],
  ['onText', { onText: () => {} }],
  ['onText and onRetract', { onText: () => {}, onRetract: () => {} }],
]

/** Each way to say how shown text is treated. */
const ways = retractions.flatMap((agent) =>
  [undefined, ...retractions].flatMap((input) =>
    readers.map(([reader, callbacks]) => ({ agent, input, reader, callbacks })),
  ),
)

/** What a reader is told, without what is another at each run. */
async function told(run: AgentRun): Promise<unknown[]> {
  const events: readonly AgentEvent[] = await eventsOf(run)
  return events
    .filter(({ type }) => type !== 'run.started')
    .map((event) => ({ ...event, runId: '', at: 0, ...('usage' in event && { usage: undefined }) }))
}

describe('shown text is treated in an adapted loop as in a run of its agent', () => {
  it.each(ways)('agent $agent, run $input, read by $reader', async ({ agent: retraction, input, callbacks }) => {
    const given: Omit<AdaptedInput, 'messages'> = {
      ...(input !== undefined && { retraction: input }),
      ...(callbacks !== undefined && { callbacks }),
    }
    const turns = [{ content: [text('Yes, it is so.')] }, { content: [text('That is all.')] }]
    const faults: FaultPlan = [{ kind: 'destroy', at: { event: 4 }, turn: 1, attempt: 1 }]
    const options = { recovery: { retraction } }
    const direct = agentOn(await claudeFor(turns, { faults }), options).run({ messages: question, ...given })
    const { loop } = await setUp({ turns, faults, agent: options, input: { messages: question, ...given } })
    expect(await told(loop.run('x'))).toEqual(await told(direct))
  })
})

describe('an agent that holds text back until its turn is whole', () => {
  const recovery = { streamRetries: 0, bufferedRetries: 0, extraRequests: 0, retraction: 'hold' } as const

  it('shows nothing of a turn that the existing loop then answers', async () => {
    const { loop, events } = await setUp({
      agent: { recovery },
      faults: [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }],
    })
    expect((await loop('x')).text).toBe('The old way.')
    expect(only(events, 'text.delta').map((event) => event.text)).toEqual(['The old way.'])
    expect(only(events, 'turn.retracted')).toEqual([])
  })

  it('has none of a whole turn withdrawn, so that no loop starts over behind it', async () => {
    const scope = new AsyncLocalStorage<LegacyScope>()
    const { loop, legacyCalls, events } = await setUp({
      agent: { recovery },
      faults: secondTurnBreaks,
      handover: 'none',
      adapt: { handover: 'restart', scope },
    })
    await expect(loop('Charge me')).rejects.toMatchObject({ code: 'cannot_retract' })
    expect(legacyCalls).toEqual([])
    expect(only(events, 'turn.retracted')).toEqual([])
  })
})
