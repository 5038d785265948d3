import type AnthropicBedrock from '@anthropic-ai/bedrock-sdk'
import type { AnthropicBedrockMantle } from '@anthropic-ai/bedrock-sdk'
import type AnthropicFoundry from '@anthropic-ai/foundry-sdk'
import type Anthropic from '@anthropic-ai/sdk'
import type AnthropicVertex from '@anthropic-ai/vertex-sdk'
import { describe, expectTypeOf, it } from 'vitest'
import type { AgentOptions, FlagClient, InputMessage, ModelClient, RequestParams, RunInput } from '../../src/index.ts'

describe('what stands for a model client', () => {
  it('is every client of the SDKs, as it is', () => {
    expectTypeOf<Anthropic>().toExtend<ModelClient>()
    expectTypeOf<Anthropic['beta']>().toExtend<ModelClient>()
    expectTypeOf<AnthropicBedrock>().toExtend<ModelClient>()
    expectTypeOf<AnthropicBedrockMantle>().toExtend<ModelClient>()
    expectTypeOf<AnthropicVertex>().toExtend<ModelClient>()
    expectTypeOf<AnthropicFoundry>().toExtend<ModelClient>()
    expectTypeOf<Pick<Anthropic, 'messages'>>().toExtend<ModelClient>()
  })

  it('is what a test writes in a line', () => {
    const fake = { messages: { create: (_body: object) => Promise.resolve({}) } }
    expectTypeOf(fake).toExtend<ModelClient>()
  })

  it('is nothing else', () => {
    expectTypeOf<Anthropic['messages']>().not.toExtend<ModelClient>()
    expectTypeOf<{ messages: { create: string } }>().not.toExtend<ModelClient>()
    expectTypeOf<{ messages: { create: () => void } }>().not.toExtend<ModelClient>()
  })
})

describe('request parameters', () => {
  it('are those of the Messages API, of either surface, without what the loop sets', () => {
    expectTypeOf<{ model: string; max_tokens: number }>().toExtend<RequestParams>()
    expectTypeOf<{
      model: string
      max_tokens: number
      thinking: { type: 'adaptive' }
      system: { type: 'text'; text: string; cache_control: { type: 'ephemeral' } }[]
    }>().toExtend<RequestParams>()
    expectTypeOf<{ model: string; max_tokens: number; betas: string[] }>().toExtend<RequestParams>()
    expectTypeOf<{ model: string }>().not.toExtend<RequestParams>()
    expectTypeOf<{ model: string; max_tokens: string }>().not.toExtend<RequestParams>()
    expectTypeOf<'messages'>().not.toExtend<keyof RequestParams>()
  })

  it('go with messages of either surface', () => {
    expectTypeOf<Anthropic.MessageParam>().toExtend<InputMessage>()
    expectTypeOf<Anthropic.Beta.BetaMessageParam>().toExtend<InputMessage>()
    expectTypeOf<readonly Anthropic.MessageParam[]>().toExtend<RunInput['messages']>()
  })
})

it('a client and a request are all that an agent needs', () => {
  expectTypeOf<{ client: Anthropic; request: { model: string; max_tokens: number } }>().toExtend<AgentOptions>()
  expectTypeOf<{ client: Anthropic }>().not.toExtend<AgentOptions>()
})

it('a flag client may answer at once or later', () => {
  expectTypeOf<{
    getBooleanDetails: (key: string, fallback: boolean) => { value: boolean }
  }>().toExtend<FlagClient>()
  expectTypeOf<{
    getBooleanDetails: (key: string, fallback: boolean) => Promise<{ value: boolean; errorCode?: string }>
  }>().toExtend<FlagClient>()
  expectTypeOf<{ getBooleanDetails: (key: string) => Promise<string> }>().not.toExtend<FlagClient>()
})
