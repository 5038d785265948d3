import { AsyncLocalStorage } from 'node:async_hooks'
import type { FaultPlan } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import type { AgentCallbacks, AgentEvent, ClientError, LegacyScope } from '../../src/index.ts'
import { legacyAnswer, secondTurnBreaks, setUp, type Setup, type SetupOptions } from './set-up.ts'

/** What a reader of the callbacks has before it. */
interface Screen {
  readonly callbacks: AgentCallbacks
  readonly text: () => string
  /** What stood there when the existing loop began. */
  readonly atStart: string[]
}

function openScreen(): Screen {
  let text = ''
  const callbacks: AgentCallbacks = {
    onText: (more) => void (text += more),
    onRetract: (withdrawn) => {
      expect(text.endsWith(withdrawn.text)).toBe(true)
      text = text.slice(0, text.length - withdrawn.text.length)
    },
  }
  return { callbacks, text: () => text, atStart: [] }
}

/** A loop that shows its answer itself, on the screen that the run shows its own on. */
function reporting(options: SetupOptions, { callbacks, text, atStart }: Screen): Promise<Setup> {
  return setUp({
    ...options,
    input: { callbacks },
    adapt: { ...options.adapt, legacyReports: true },
    legacy: () => {
      atStart.push(text())
      callbacks.onText?.(legacyAnswer.text, { runId: 'of the loop', turn: 1 })
      return Promise.resolve(legacyAnswer)
    },
  })
}

const scope = new AsyncLocalStorage<LegacyScope>()
const firstTurnBreaks: FaultPlan = [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }]

describe('a loop that calls the callbacks itself', () => {
  it.each<[string, SetupOptions, string]>([
    ['from the start', { faults: firstTurnBreaks }, ''],
    ['from the history', { faults: secondTurnBreaks }, 'I charge you. '],
    [
      'from the start, after a turn',
      { faults: secondTurnBreaks, handover: 'none', adapt: { handover: 'restart', scope } },
      '',
    ],
  ])('%s, begins where nothing stands that is not to stay', async (_how, options, before) => {
    const screen = openScreen()
    const { loop } = await reporting(options, screen)
    await loop('Charge me')
    expect(screen.atStart).toEqual([before])
    expect(screen.text()).toBe(`${before}The old way.`)
  })
})

describe('what such a loop knows nothing of is told to its end', () => {
  /** Callbacks that are an object of a class. */
  class Watch {
    readonly types: string[] = []
    readonly errors: string[] = []
    onText(): void {}
    onRetract(): void {}
    onEvent({ type }: AgentEvent): void {
      this.types.push(type)
    }
    onError({ code }: ClientError): void {
      this.errors.push(code)
    }
  }

  it.each<[string, SetupOptions]>([
    ['that takes over', { faults: firstTurnBreaks }],
    ['that goes on', { faults: secondTurnBreaks }],
    ['that answers where the run cannot begin', { input: { messages: [] } }],
  ])('the events of a loop %s; its errors are its own matter', async (_how, options) => {
    const watch = new Watch()
    const controller = new AbortController()
    const input = { ...options.input, callbacks: watch, signal: controller.signal }
    const { loop, events } = await setUp({
      ...options,
      input,
      adapt: { legacyReports: true },
      legacy: () => {
        controller.abort()
        return Promise.reject(new Error('stopped'))
      },
    })
    expect(await loop.run('Charge me').result).toMatchObject({ outcome: 'interrupted' })
    expect(watch.types).toEqual(events.map(({ type }) => type))
    expect(watch.errors).toHaveLength(1)
  })
})
