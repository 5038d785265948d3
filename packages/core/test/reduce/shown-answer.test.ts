import { describe, expect, it } from 'vitest'
import { answerText, type EventBody, type Message } from '../../src/index.ts'
import { createShownText } from '../../src/reduce/shown-text.ts'

type Step = string | 'calls'

/** What a run shows that says these texts, one a turn; `calls` ends the calls of the turn before. */
function shownAnswer(steps: readonly Step[]): string {
  const shown = createShownText()
  let turn = 0
  const apply = (body: EventBody): void => void shown.apply({ ...body, seq: 1, runId: 'run-1', at: 0 })
  for (const step of steps) {
    if (step === 'calls') {
      const call = { toolUseId: `toolu_${turn}`, name: 'act', input: {}, turn }
      apply({ type: 'tool.finished', ...call, result: '', outcome: 'ok', durationMs: 0 })
    } else {
      const place = { turn: ++turn, attempt: 1, block: 0 }
      apply({ type: 'block.started', ...place, kind: 'text' })
      apply({ type: 'text.delta', ...place, text: step })
    }
  }
  return shown.answer
}

/** The messages of the same run. */
function messagesOf(steps: readonly Step[]): readonly Message[] {
  return steps.map((step) =>
    step === 'calls'
      ? { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: '' }] }
      : { role: 'assistant', content: [{ type: 'text', text: step }] },
  )
}

describe('the text of the answer', () => {
  it.each<[string, readonly Step[], string]>([
    ['of nothing', [], ''],
    ['of one turn', ['One.'], 'One.'],
    ['over several turns, as after a pause', ['One, ', 'two.'], 'One, two.'],
    ['after the last calls', ['I look.', 'calls', 'I look on.', 'calls', 'It is ', 'blue.'], 'It is blue.'],
    ['before calls that nothing follows', ['One.', 'calls'], 'One.'],
    ['before calls that only white space follows', ['One, ', 'two.', 'calls', '\n'], 'One, two.'],
    ['of white space alone', ['\n'], '\n'],
  ])('%s', (_what, steps, expected) => {
    expect(shownAnswer(steps)).toBe(expected)
    expect(answerText(messagesOf(steps))).toBe(expected)
  })

  it('does not count calls that were discarded, or that a legacy loop was answered again', () => {
    const shown = createShownText()
    const apply = (body: EventBody): void => void shown.apply({ ...body, seq: 1, runId: 'run-1', at: 0 })
    const call = { toolUseId: 'toolu_1', name: 'act', input: {}, turn: 1, result: '', durationMs: 0 } as const
    apply({ type: 'tool.finished', ...call, outcome: 'discarded' })
    apply({ type: 'tool.finished', ...call, outcome: 'ok', reused: true })
    for (const turn of [1, 2]) {
      apply({ type: 'block.started', turn, attempt: 1, block: 0, kind: 'text' })
      apply({ type: 'text.delta', turn, attempt: 1, block: 0, text: `${turn}.` })
    }
    expect(shown.answer).toBe('1.2.')
  })
})
