import { validateMessages } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { only } from '../support/scripted.ts'
import {
  adaptAssistant,
  adaptOptionsLoop,
  adaptPositionalLoop,
  conditions,
  servesTextOnly,
  type Setting,
  settingFor,
  stranded,
} from './loops/adapted.ts'
import { Assistant, testAssistant } from '@millrace/legacy-loops/class-method'
import {
  createOptionsLoop,
  type OptionsLoop,
  testOptionsLoop,
  testOptionsLoopCallbacks,
} from '@millrace/legacy-loops/options-object'
import { createPositionalLoop, testPositionalLoop } from '@millrace/legacy-loops/positional'
import { questions, type Shop, wholeText } from '@millrace/legacy-loops/shop'

describe.each(conditions)('a loop with an options object, $name', (condition) => {
  const make = async (): Promise<{ loop: OptionsLoop; shop: Shop }> => {
    const setting = await settingFor(condition)
    const { legacyClient, legacyTools, shop } = setting
    const isAsItWas = condition.flag === undefined
    return { loop: isAsItWas ? createOptionsLoop(legacyClient, legacyTools) : adaptOptionsLoop(setting), shop }
  }
  testOptionsLoop(make)
  if (servesTextOnly(condition)) testOptionsLoopCallbacks(make)
})

describe.each(conditions.filter((condition) => !servesTextOnly(condition)))(
  'text that cannot be taken back, $name',
  (condition) => {
    it('is never said twice: the run ends in an error that says why', async () => {
      const setting = await settingFor(condition)
      const texts: string[] = []
      const answer = adaptOptionsLoop(setting)({
        userInput: questions.charge,
        conversationHistory: [],
        callbacks: { onText: (text) => texts.push(text) },
      })
      await expect(answer).rejects.toMatchObject({ name: 'MillraceError', code: 'cannot_retract' })
      expect(wholeText(questions.charge).startsWith(texts.join(''))).toBe(true)
      expect(texts.join('')).not.toBe('')
      expect(setting.shop.charges.length).toBeLessThanOrEqual(1)
    })
  },
)

describe.each(conditions)('a loop with positional arguments, $name', (condition) => {
  testPositionalLoop(async () => {
    const setting = await settingFor(condition)
    const { legacyClient, legacyTools, shop } = setting
    const isAsItWas = condition.flag === undefined
    return { loop: isAsItWas ? createPositionalLoop(legacyClient, legacyTools) : adaptPositionalLoop(setting), shop }
  })
})

describe.each(conditions)('a method that keeps its own history, $name', (condition) => {
  testAssistant(async () => {
    const setting = await settingFor(condition)
    const { legacyClient, legacyTools, shop } = setting
    const isAsItWas = condition.flag === undefined
    return { assistant: isAsItWas ? new Assistant(legacyClient, legacyTools) : adaptAssistant(setting), shop }
  })
})

describe('what a test condition says happens', () => {
  const ask = async (setting: Setting, question: string): Promise<unknown> =>
    adaptOptionsLoop(setting)({ userInput: question, conversationHistory: [] }).catch((error: unknown) => error)

  it.each(conditions.filter(({ flag }) => flag !== undefined))('does: $name', async (condition) => {
    const setting = await settingFor(condition)
    await ask(setting, questions.charge)
    const { name, flag, handover, broken } = condition
    const [started] = only(setting.events, 'run.started')
    const modes = only(setting.events, 'turn.started').map(({ mode }) => mode)
    const [finished] = only(setting.events, 'run.finished')
    expect(finished?.outcome).toBe('completed')
    expect(started?.decision.mode).toBe(flag === true ? 'stream' : 'legacy')
    const isHandedOver = name.includes('committed turn')
    const legacyAlone = flag !== true || broken !== undefined
    const expected = legacyAlone ? /^legacy$/ : isHandedOver ? /stream legacy$/ : /^(stream|buffered| )+$/
    expect(modes.join(' ')).toMatch(expected)
    const reused = only(setting.events, 'tool.finished').filter((event) => event.reused === true)
    expect(reused).toHaveLength(name.includes('after a committed turn') && handover === 'restart' ? 1 : 0)
  })
})

describe.each(stranded)('$name', (condition) => {
  it('rejects with a typed error, charges once, and keeps what was committed', async () => {
    const setting = await settingFor(condition)
    const loop = adaptOptionsLoop(setting)
    const run = loop.run({ userInput: questions.charge, conversationHistory: [] })
    const result = await run.result
    expect(result).toMatchObject({ outcome: 'failed', error: { name: 'MillraceError' } })
    expect(result.messages.slice(0, 3).map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect(setting.shop.charges).toHaveLength(1)
    await expect(loop({ userInput: questions.charge, conversationHistory: [] })).rejects.toMatchObject({
      name: 'MillraceError',
      code: result.error?.code,
    })
    expect(setting.shop.charges).toHaveLength(2)
  })
})
