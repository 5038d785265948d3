import Anthropic from '@anthropic-ai/sdk'
import { type FaultRule, text } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { createAgent, type MillraceError } from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question, request } from '../support/scripted.ts'

describe.each(['stream', 'buffered'] as const)('a client without a key, asked in mode %s', (mode) => {
  it('is a refusal of the credentials: asked once, not again, and nothing of the reason travels', async () => {
    const claude = await claudeFor([{ content: [text('Hello')] }])
    const client = new Anthropic({ apiKey: null, authToken: null, baseURL: claude.url })
    const warnings: MillraceError[] = []
    const agent = createAgent({ client, request, onWarning: (warning) => void warnings.push(warning) })
    const run = agent.run({ messages: question, mode })
    const events = await eventsOf(run)
    const { outcome, error, messages } = await run.result
    expect({ outcome, messages }).toEqual({ outcome: 'failed', messages: question })
    expect(error).toMatchObject({
      code: 'authentication',
      retryable: false,
      message: 'The model API refused the credentials',
    })
    expect(String(error?.cause)).toMatch(/authentication method/)
    expect(claude.stats.requests).toBe(0)
    expect(only(events, 'turn.started').map((turn) => turn.mode)).toEqual([mode])
    expect(only(events, 'fallback')).toEqual([])
    expect(warnings).toEqual([])
    expect(JSON.stringify(events)).not.toMatch(
      /apiKey|authToken|authentication method|headers|node_modules|\/work|\.ts\b/i,
    )
    expect(only(events, 'run.finished')).toMatchObject([
      { error: { code: 'authentication', message: 'The model API refused the credentials', retryable: false } },
    ])
  })
})

describe('an answer in one body', () => {
  const turns = [{ content: [text('Hello there')] }]
  const noRetry = { extraRequests: 0 }

  it.each<[FaultRule, code: string]>([
    [{ kind: 'destroy', at: { event: 1 } }, 'connection_lost'],
    [{ kind: 'reset', at: { event: 1 } }, 'connection_lost'],
    [{ kind: 'break-chunk', at: { event: 1 } }, 'connection_lost'],
    // A clean end: what had come is no JSON.
    [{ kind: 'end', at: { event: 1 } }, 'garbage'],
    [{ kind: 'refused' }, 'connection_failed'],
  ])('that fails by %j is %s, and asked again', async (fault, code) => {
    const claude = await claudeFor(turns, { faults: [{ ...fault, times: 'forever' }] })
    const failed = await agentOn(claude, { recovery: noRetry }).run({ messages: question, mode: 'buffered' }).result
    expect(failed).toMatchObject({ outcome: 'failed', error: { code, retryable: true } })

    claude.setFaults([fault])
    const run = agentOn(claude).run({ messages: question, mode: 'buffered' })
    const events = await eventsOf(run)
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'Hello there' })
    expect(only(events, 'fallback')).toMatchObject([{ from: 'buffered', to: 'buffered', reason: code }])
  })

  it('is lost at whichever byte it is cut', async () => {
    const claude = await claudeFor(turns)
    await agentOn(claude).run({ messages: question, mode: 'buffered' }).result
    const length = claude.stats.bytesSent
    expect(length).toBeGreaterThan(200)
    const agent = agentOn(claude, { recovery: noRetry })
    for (let byte = 0; byte < length; byte++) {
      claude.setFaults([{ kind: 'destroy', at: { byte } }])
      const { error } = await agent.run({ messages: question, mode: 'buffered' }).result
      expect(error?.code, `cut at byte ${byte} of ${length}`).toBe('connection_lost')
    }
  })

  it('from nobody who listens is a connection that failed', async () => {
    const claude = await claudeFor(turns)
    await claude.refuseConnections()
    const { error } = await agentOn(claude, { recovery: noRetry }).run({ messages: question, mode: 'buffered' }).result
    expect(error).toMatchObject({ code: 'connection_failed', retryable: true })
  })
})
