import * as fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ContentBlock, Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type Cassette, compareCassette, formatReport, readCassette, variantNames } from '../src/index.ts'
import { replayServer } from '../src/node.ts'
import { conversationOfKind, otherConversations } from './support/block-kinds.ts'
import { recordLoop } from './support/recorded.ts'

/** Nothing differs, in any variant; else the failure shows what the command would. */
async function expectEqual(cassette: Cassette): Promise<void> {
  const report = await compareCassette(cassette, { place: replayServer })
  expect(report.variants).toEqual(variantNames)
  expect(formatReport('cassette', report).filter((line) => /^ {4}|variants|\(/.test(line))).toEqual([])
  expect(report.equal).toBe(true)
}

/** Recorded answers are answers of the API: what a scripted list is not asked for is not missed. */
const withoutChecks = { validate: false }

describe.each(Object.entries({ ...conversationOfKind, ...otherConversations }))(
  'a conversation with %s',
  (_, script) => {
    it('is equal if it was recorded without streaming', async () => {
      await expectEqual(await recordLoop(script, { options: withoutChecks }))
    })

    it('is equal if it was recorded from streams', async () => {
      await expectEqual(await recordLoop(script, { options: withoutChecks, stream: true, beta: true }))
    })
  },
)

it('shows what the stream helper of a legacy loop has lost', async () => {
  // The SDK's helper for messages that are not beta drops the input deltas of an MCP call.
  const cassette = await recordLoop(conversationOfKind.mcp_tool_use, { options: withoutChecks, stream: true })
  const { differences } = await compareCassette(cassette)
  expect(differences).toMatchObject([
    { turn: 2, path: 'request.messages[1].content[0].input.message', actual: 'hé 👩🏽‍🚀' },
  ])
})

/** Conversations in which a turn holds blocks of any kinds. */
const anyConversation: fc.Arbitrary<Turn[]> = fc
  .array(
    fc.tuple(
      fc.uniqueArray(
        fc.constantFrom(...Object.values(conversationOfKind).flatMap((turns) => turns.flatMap(ownBlocks))),
        {
          maxLength: 3,
        },
      ),
      fc.array(
        fc
          .dictionary(
            fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
            fc.jsonValue({ maxDepth: 2 }),
          )
          .map((input): ContentBlock => JSON.parse(JSON.stringify({ type: 'tool_use', name: 'look_up', input }))),
        { minLength: 1, maxLength: 2 },
      ),
      fc.string({ unit: 'binary', minLength: 1 }),
    ),
    { maxLength: 2 },
  )
  .map((turns) => [
    ...turns.map(([groups, calls, words], turn): Turn => {
      const blocks = groups.flatMap((group, index) => withOwnIds(group, `${turn}${index}`))
      return { content: [...blocks, { type: 'text', text: words }, ...calls] }
    }),
    { content: [{ type: 'text', text: 'The end.' }] },
  ])

/** Blocks that may stand anywhere: all but calls, which a turn of this test makes itself. */
function ownBlocks({ content, stopReason }: Turn): ContentBlock[][] {
  return stopReason === undefined ? [content.filter(({ type }) => type !== 'tool_use')] : []
}

/** The blocks with ids that no other group has, as in the API's answers: Millrace renames an id that occurs twice. */
function withOwnIds(blocks: readonly ContentBlock[], suffix: string): ContentBlock[] {
  const json = JSON.stringify(blocks).replaceAll(/"((?:srv|mcp)?toolu_\w+)"/g, `"$1_${suffix}"`)
  const renamed: ContentBlock[] = JSON.parse(json)
  return renamed
}

it('finds conversations equal that mix all blocks, with any text and input', async () => {
  await fc.assert(
    fc.asyncProperty(anyConversation, fc.boolean(), async (script, stream) => {
      const cassette = await recordLoop(script, { stream, beta: true, options: withoutChecks })
      const report = await compareCassette(cassette)
      expect(report.differences).toEqual([])
    }),
    { numRuns: 25 },
  )
})

const folder = process.env['MILLRACE_RECORDED_STREAMS']
const needed = folder === undefined ? ' (skipped: MILLRACE_RECORDED_STREAMS is not set)' : ''

interface RealAnswer {
  readonly name: string
  readonly answer: unknown
}

/** Answers of the real API: streams, and messages in one body. */
function readAnswers(from: string): RealAnswer[] {
  return readdirSync(from).flatMap((file): RealAnswer[] => {
    const text = readFileSync(join(from, file), 'utf8')
    if (file.endsWith('.json')) return [{ name: file, answer: { kind: 'message', message: JSON.parse(text) } }]
    if (!file.endsWith('.chunks.txt')) return []
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    const streams: string[] = []
    let id: unknown
    for (const line of lines) {
      const event = JSON.parse(line)
      const next: unknown = event.message?.id ?? id
      if (next !== id || streams.length === 0) streams.push('')
      id = next
      streams.push(`${streams.pop() ?? ''}event: ${event.type}\ndata: ${line}\n\n`)
    }
    return streams.map((sse, index) => ({ name: `${file}, answer ${index + 1}`, answer: { kind: 'stream', sse } }))
  })
}

const answers = folder === undefined ? [] : readAnswers(folder)

describe.skipIf(folder === undefined)(`a recorded answer of the real API${needed}`, () => {
  it('is in the folder', () => {
    expect(answers.length).toBeGreaterThan(15)
  })

  it.each(answers)('replays without a difference: $name', async ({ name, answer }) => {
    const body = { model: 'claude-x', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hello' }] }
    await expectEqual(
      readCassette({
        format: 'millrace-cassette',
        version: 1,
        id: name,
        redacted: [],
        exchanges: [{ startedAt: 0, durationMs: 1, request: { kept: 0, body }, answer }],
      }),
    )
  })
})
