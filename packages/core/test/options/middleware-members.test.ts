import { describe, expect, it } from 'vitest'
import { createAgent, type Middleware, type MillraceError } from '../../src/index.ts'
import { agentOn, claudeFor, clientOf, question, request } from '../support/scripted.ts'
import { calls, toolOf } from '../tools/running-a-tool.ts'

/** Counts what it is around, as a class of a user's own may. */
class Counter implements Middleware {
  readonly name: string = 'counter'
  readonly counts: { run: number; turn: number; tool: number } = { run: 0, turn: 0, tool: 0 }
  readonly options: { readonly verbose: boolean } = { verbose: false }

  run(...[, next]: Parameters<NonNullable<Middleware['run']>>): ReturnType<NonNullable<Middleware['run']>> {
    return this.count('run', next())
  }

  turn(...[scope, next]: Parameters<NonNullable<Middleware['turn']>>): ReturnType<NonNullable<Middleware['turn']>> {
    return this.count('turn', next(scope))
  }

  tool(...[call, next]: Parameters<NonNullable<Middleware['tool']>>): ReturnType<NonNullable<Middleware['tool']>> {
    return this.count('tool', next(call))
  }

  count<T>(kind: keyof Counter['counts'], given: T): T {
    this.counts[kind] += 1
    return given
  }
}

describe('a middleware', () => {
  it('may be an instance of a class, with members of its own that its methods use', async () => {
    const claude = await claudeFor(calls('toolu_1'))
    const warnings: MillraceError[] = []
    const counter = new Counter()
    const agent = agentOn(claude, {
      tools: [toolOf({ run: () => 'acted' })],
      use: [counter],
      onWarning: (warning) => void warnings.push(warning),
    })
    expect((await agent.run({ messages: question }).result).outcome).toBe('completed')
    expect(warnings).toEqual([])
    expect(counter.counts).toEqual({ run: 1, turn: 2, tool: 1 })
  })

  it.each(['run', 'turn', 'tool'] as const)('may have members of its own beside %s', (around) => {
    const own = { name: 'own', window: [1], onEvent() {}, [around]: () => Promise.reject(new Error('unused')) }
    expect(createAgent({ client: clientOf({ url: 'http://127.0.0.1:9' }), request, use: [own] })).toBeTypeOf('object')
  })

  it('whose run, turn and tool are all undefined is none', () => {
    const none = { name: 'none', run: undefined, turn: undefined, tool: undefined, onEvent() {} }
    const create = (): unknown =>
      Reflect.apply(createAgent, undefined, [
        { client: clientOf({ url: 'http://127.0.0.1:9' }), request, use: [{ name: 'ok', run() {} }, none] },
      ])
    expect(create).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        path: 'use[1]',
        message: expect.stringMatching(/with run\(\)/),
      }),
    )
  })
})
