import { sized } from '@millrace/config/sized'
import { expect, test } from 'vitest'
import { faultMatrix, gradeLoop, type Job, layouts, type LoopUnderTest, summarize } from '../src/index.ts'
import { ask, askWholePatiently, type TurnAnswer } from '../src/loops/ask.ts'
import { converse, reportTalk, runJobTool, startTalk, type Talk } from '../src/loops/converse.ts'
import { readStream } from '../src/loops/read-stream.ts'
import type { ContentBlock } from '../src/index.ts'

/** What is known of a stream that broke. */
interface Broken {
  readonly text: string
  readonly blocks: readonly ContentBlock[]
}

/** Streams each turn; `recover` makes an answer of a broken one, or undefined to ask again without streaming. */
function loopThat(recover: (broken: Broken, talk: Talk, job: Job) => Promise<TurnAnswer | undefined>): LoopUnderTest {
  return async (job) => {
    const talk = startTalk(job)
    const askTurn = async (messages: readonly unknown[]): Promise<TurnAnswer> => {
      const broken = { text: '', blocks: new Array<ContentBlock>() }
      const observer = {
        onText: (text: string): void => void (broken.text += text),
        onBlock: (block: ContentBlock): void => void broken.blocks.push(block),
      }
      try {
        return await ask(job, messages, true, (response, alive) => readStream(response, alive, observer, 'error'))
      } catch {
        return (await recover(broken, talk, job)) ?? (await askWholePatiently(job, messages))
      }
    }
    try {
      const outcome = await converse(talk, askTurn, (call) => runJobTool(job, call))
      return reportTalk(job, talk, { outcome })
    } catch (error) {
      return reportTalk(job, talk, { outcome: 'failed', error })
    }
  }
}

/** Keeps the text that was shown as an answer of its own, and asks to go on from there. */
const continuing = loopThat(async ({ text }, talk, job) => {
  if (text.trim() === '' || talk.messages.at(-1)?.role === 'assistant') return undefined
  talk.messages.push({ role: 'assistant', content: [{ type: 'text', text }] })
  talk.messages.push({ role: 'user', content: 'Your answer was cut off. Continue exactly where it stopped.' })
  const answer = await askWholePatiently(job, talk.messages)
  return { ...answer, content: withoutRepetition(answer.content, text) }
})

/** A model that begins its answer anew says again what is kept already. */
function withoutRepetition(content: readonly ContentBlock[], kept: string): readonly ContentBlock[] {
  return content.flatMap((block) => {
    if (block.type !== 'text' || !String(block.text).startsWith(kept)) return [block]
    const rest = String(block.text).slice(kept.length)
    return rest === '' ? [] : [{ ...block, text: rest }]
  })
}

/** Keeps a broken turn up to its last complete tool call, and runs that. */
const salvaging = loopThat(async ({ blocks }) => {
  const last = blocks.findLastIndex((block) => block.type === 'tool_use')
  const isOurs = blocks.every((block) => ['text', 'thinking', 'redacted_thinking', 'tool_use'].includes(block.type))
  if (last === -1 || !isOurs) return undefined
  return { content: blocks.slice(0, last + 1), stopReason: 'tool_use' }
})

const cases = faultMatrix({
  seed: 21,
  kinds: ['destroy', 'reset', 'break-chunk', 'stall', 'error-event'],
  frequencies: ['once'],
  // A non-streaming request that the API refuses for good is another matter.
  sample: sized({ quick: 100, long: 200 }),
}).filter(({ id }) => !/billing|permission|not_found|authentication|invalid|too_large/.test(id))

test.each([
  ['goes on from the text that was shown', continuing],
  ['keeps complete tool calls', salvaging],
])('a loop that %s finishes every job, and is graded so', async (name, loop) => {
  const grades = await gradeLoop({ name, loop, cases })
  expect(summarize(grades).failing).toEqual([])
  expect(new Set(grades.results.map((result) => result.layout)).size).toBe(layouts.length)
})
