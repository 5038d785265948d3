import type Anthropic from '@anthropic-ai/sdk'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  adaptLoop,
  type AdaptedInput,
  type AdaptedLoop,
  type AdaptLoopOptions,
  type DrivableAgent,
  type AgentCallbacks,
  type AgentRun,
  type CallbackMeta,
  type ClientError,
  type HandedOver,
  type RunInput,
  type RunResult,
  type ToolProgress,
  type ToolOutcome,
  type ToolResultContent,
} from '../../src/index.ts'
import { chatLoopPreset } from '../../src/adapt/chat-preset.ts'
import type { adaptAssistant, adaptOptionsLoop, adaptPositionalLoop } from './loops/adapted.ts'
import type { Assistant } from '@millrace/legacy-loops/class-method'
import type { LoopAnswer, LoopOptions, OptionsLoop } from '@millrace/legacy-loops/options-object'
import type { PositionalLoop } from '@millrace/legacy-loops/positional'

/** How a function is called: without what hangs on it. */
type Call<F extends (...args: never[]) => unknown> = (
  this: ThisParameterType<F>,
  ...args: Parameters<OmitThisParameter<F>>
) => ReturnType<F>

declare const agent: DrivableAgent
const input: AdaptedInput = { messages: [{ role: 'user', content: 'x' }] }

/** Type-checked and never run: `agent` has no value. */
function typesOnly(check: () => void): void {
  expect(check).toBeTypeOf('function')
}

describe('an adapted loop stands wherever the existing one stood', () => {
  it('with an options object', () => {
    type Adapted = ReturnType<typeof adaptOptionsLoop>
    expectTypeOf<Adapted>().toExtend<OptionsLoop>()
    expectTypeOf<OptionsLoop>().toExtend<Call<Adapted>>()
    expectTypeOf<Parameters<Adapted['run']>>().toEqualTypeOf<[LoopOptions]>()
    expectTypeOf<ReturnType<Adapted['run']>>().toEqualTypeOf<AgentRun>()
  })

  it('with positional arguments, one of them optional, and a tuple as its result', () => {
    type Adapted = ReturnType<typeof adaptPositionalLoop>
    expectTypeOf<Adapted>().toExtend<PositionalLoop>()
    expectTypeOf<PositionalLoop>().toExtend<Call<Adapted>>()
    expectTypeOf<Parameters<Adapted>>().toEqualTypeOf<Parameters<PositionalLoop>>()
    expectTypeOf<Parameters<Adapted['run']>>().toEqualTypeOf<Parameters<PositionalLoop>>()
    // The last argument may be left out.
    expectTypeOf<Adapted>().toBeCallableWith('Ada', [])
  })

  it('as a method: this is what it was', () => {
    type Adapted = AdaptedLoop<Assistant, [question: string], string>
    expectTypeOf<Adapted>().toExtend<Assistant['ask']>()
    expectTypeOf<Assistant['ask']>().toExtend<Call<Adapted>>()
    expectTypeOf<ThisParameterType<Adapted>>().toEqualTypeOf<Assistant>()
    expectTypeOf<ThisParameterType<Adapted>>().toEqualTypeOf<ThisParameterType<Assistant['ask']>>()
    expectTypeOf<ReturnType<typeof adaptAssistant>>().toEqualTypeOf<Assistant>()
  })
})

describe('types are found without being written', () => {
  it('from a function with an options object, through the preset', () => {
    typesOnly(() => {
      const legacy = (options: LoopOptions): Promise<LoopAnswer> => Promise.reject(new Error(options.userInput))
      const adapted = adaptLoop({
        legacy,
        agent,
        ...chatLoopPreset({
          fromResult: ({ text, messages }, options: LoopOptions): LoopAnswer => {
            expectTypeOf(text).toBeString()
            expectTypeOf(options).toEqualTypeOf<LoopOptions>()
            return { response: text, conversationHistory: [...messages] }
          },
          textOf: (answer: LoopAnswer) => answer.response,
          historyOf: ({ conversationHistory }) => conversationHistory,
        }),
      })
      expectTypeOf(adapted).toExtend<typeof legacy>()
      expectTypeOf(legacy).toExtend<Call<typeof adapted>>()
    })
  })

  it('from a function with three arguments', () => {
    typesOnly(() => {
      const legacy = (customer: string, thread: Anthropic.MessageParam[], limit?: number): Promise<number> =>
        Promise.resolve(customer.length + thread.length + (limit ?? 0))
      const adapted = adaptLoop({
        legacy,
        agent,
        context: (customer) => {
          expectTypeOf(customer).toBeString()
          return { targetingKey: customer }
        },
        useStreaming: (_customer, _thread, limit) => limit === undefined,
        toInput: (customer, thread, limit) => {
          expectTypeOf(customer).toBeString()
          expectTypeOf(thread).toEqualTypeOf<Anthropic.MessageParam[]>()
          expectTypeOf(limit).toEqualTypeOf<number | undefined>()
          return { messages: thread }
        },
        fromResult: (result, customer) => {
          expectTypeOf(result).toEqualTypeOf<RunResult>()
          return result.turns + customer.length
        },
        handover: {
          toArgs: (handed, customer, _thread, limit) => {
            expectTypeOf(handed).toEqualTypeOf<HandedOver>()
            return [customer, [...handed.messages], limit]
          },
          fromLegacy: (result) => {
            expectTypeOf(result).toBeNumber()
            return { messages: [], text: String(result) }
          },
        },
      })
      expectTypeOf(adapted).toExtend<typeof legacy>()
      expectTypeOf(legacy).toExtend<Call<typeof adapted>>()
      expectTypeOf(adapted.run).parameters.toEqualTypeOf<Parameters<typeof legacy>>()
    })
  })

  it('from the loop alone: a callback that leaves an argument out takes none from the callers', () => {
    typesOnly(() => {
      const legacy = (customer: string, limit?: number): Promise<number> =>
        Promise.resolve(customer.length + (limit ?? 0))
      const adapted = adaptLoop({
        agent,
        context: (customer) => ({ targetingKey: customer }),
        toInput: () => input,
        fromResult: ({ turns }, _customer) => turns,
        useStreaming: (_customer, limit) => limit === undefined,
        handover: {
          toArgs: (_handed, customer) => [customer],
          fromLegacy: () => ({ messages: [], text: '' }),
        },
        legacy,
      })
      expectTypeOf(adapted).parameters.toEqualTypeOf<[customer: string, limit?: number | undefined]>()
      expectTypeOf(adapted).toBeCallableWith('Ada')
      expectTypeOf(adapted).toBeCallableWith('Ada', 3)
      expectTypeOf(adapted.run).toBeCallableWith('Ada')
    })
  })

  it('from a method and its this', () => {
    typesOnly(() => {
      class Bot {
        name = 'bot'
        ask(this: Bot, question: string): Promise<string> {
          return Promise.resolve(this.name + question)
        }
      }
      const adapted = adaptLoop({
        legacy: Bot.prototype.ask,
        agent,
        toInput(question) {
          expectTypeOf(this).toEqualTypeOf<Bot>()
          return { messages: [{ role: 'user', content: this.name + question }] }
        },
        fromResult({ text }) {
          expectTypeOf(this).toEqualTypeOf<Bot>()
          return text
        },
      })
      expectTypeOf(adapted).toExtend<Bot['ask']>()
      expectTypeOf<Bot['ask']>().toExtend<Call<typeof adapted>>()
      Bot.prototype.ask = adapted
    })
  })

  it('from a method that does not say what its this is, by who does', () => {
    typesOnly(() => {
      class Bot {
        name = 'bot'
        ask(question: string): Promise<string> {
          return Promise.resolve(this.name + question)
        }
      }
      const adapted = adaptLoop({
        legacy: Bot.prototype.ask,
        agent,
        toInput(this: Bot, question) {
          expectTypeOf(question).toBeString()
          return { messages: [{ role: 'user', content: this.name + question }] }
        },
        fromResult: ({ text }) => text,
      })
      expectTypeOf<ThisParameterType<typeof adapted>>().toEqualTypeOf<Bot>()
      Bot.prototype.ask = adapted
    })
  })

  it('from a method and the class that is named as self', () => {
    typesOnly(() => {
      class Bot {
        name = 'bot'
        ask(question: string): Promise<string> {
          return Promise.resolve(this.name + question)
        }
      }
      const bot = new Bot()
      const adapted = adaptLoop({
        self: Bot,
        legacy: Bot.prototype.ask,
        agent,
        toInput(question) {
          expectTypeOf(this).toEqualTypeOf<Bot>()
          return { messages: [{ role: 'user', content: this.name + question }] }
        },
        fromResult({ text }) {
          expectTypeOf(this).toEqualTypeOf<Bot>()
          return text
        },
      })
      Bot.prototype.ask = adapted
      expectTypeOf(adapted.run.call(bot, 'Hello')).toEqualTypeOf<AgentRun>()
      // @ts-expect-error a method needs its instance
      adapted.run('Hello')
      // @ts-expect-error so does the agent that is made of it
      adapted.toAgent()
    })
  })

  it('from functions without arguments and with a rest of them', () => {
    typesOnly(() => {
      const none = (): Promise<string> => Promise.resolve('')
      const rest = (first: string, ...more: number[]): Promise<string> => Promise.resolve(first + more.length)
      const options = { agent, toInput: () => input, fromResult: ({ text }: RunResult) => text }
      const adaptedNone = adaptLoop({ ...options, legacy: none })
      const adaptedRest = adaptLoop({ ...options, legacy: rest })
      expectTypeOf(adaptedNone).toExtend<typeof none>()
      expectTypeOf(adaptedNone).parameters.toEqualTypeOf<[]>()
      expectTypeOf(adaptedRest).toExtend<typeof rest>()
      expectTypeOf(adaptedRest).parameters.toEqualTypeOf<[first: string, ...more: number[]]>()
    })
  })

  it('and what does not fit is refused', () => {
    const legacy = (question: string): Promise<string> => Promise.resolve(question)
    const options = { legacy, toInput: () => input }
    const check = (): void => {
      // @ts-expect-error the loop gives a string
      adaptLoop({ ...options, agent, fromResult: () => 7 })
      // @ts-expect-error the loop takes a string
      adaptLoop({ ...options, agent, fromResult: ({ text }) => text, context: (question: number) => ({ question }) })
      const given = { legacy, agent, fromResult: ({ text }: RunResult) => text }
      // @ts-expect-error the id of a run is not its caller's
      adaptLoop({ ...given, toInput: () => ({ ...input, runId: 'run-1' }) })
      // @ts-expect-error who streams is decided by flags or useStreaming
      adaptLoop({ ...given, toInput: () => ({ ...input, mode: 'stream' as const }) })
      // @ts-expect-error flags are an option of adaptLoop
      adaptLoop({ ...given, toInput: () => ({ ...input, flags: { getBooleanDetails: () => ({ value: true }) } }) })
      // @ts-expect-error a loop is needed
      adaptLoop({ agent, toInput: () => input, fromResult: ({ text }: RunResult) => text })
    }
    expect(check).toBeTypeOf('function')
  })
})

describe('callbacks', () => {
  it('are typed, all of them, argument by argument', () => {
    type Args<Name extends keyof AgentCallbacks> = Parameters<NonNullable<AgentCallbacks[Name]>>
    expectTypeOf<Args<'onText'>>().toEqualTypeOf<[text: string, meta: CallbackMeta]>()
    expectTypeOf<Args<'onThinking'>>().toEqualTypeOf<[text: string, meta: CallbackMeta]>()
    expectTypeOf<Args<'onToolUse'>>().toEqualTypeOf<[name: string, input: unknown, meta: CallbackMeta]>()
    expectTypeOf<Args<'onToolProgress'>>().toEqualTypeOf<
      [name: string, input: unknown, message: string | undefined, progress: ToolProgress, meta: CallbackMeta]
    >()
    expectTypeOf<Args<'onToolResult'>>().toEqualTypeOf<
      [name: string, input: unknown, result: ToolResultContent, meta: CallbackMeta & { readonly outcome: ToolOutcome }]
    >()
    expectTypeOf<Args<'onRetract'>>().toEqualTypeOf<
      [retraction: { readonly turn: number; readonly text: string }, meta: CallbackMeta]
    >()
    expectTypeOf<Args<'onError'>>().toEqualTypeOf<
      [error: ClientError, meta: CallbackMeta & { readonly recoverable: boolean }]
    >()
    expectTypeOf<Args<'onEvent'>[0]['type']>().toExtend<string>()
    expectTypeOf<keyof AgentCallbacks>().toEqualTypeOf<
      'onText' | 'onThinking' | 'onToolUse' | 'onToolProgress' | 'onToolResult' | 'onRetract' | 'onError' | 'onEvent'
    >()
  })

  it('of an adapted loop have no other place than its input', () => {
    expectTypeOf<AdaptLoopOptions<unknown, [string], string>>().not.toHaveProperty('callbacks')
    expectTypeOf<RunInput['callbacks']>().toEqualTypeOf<AgentCallbacks | undefined>()
  })
})
