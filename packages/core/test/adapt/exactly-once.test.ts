import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { exactlyOnce, type ExactlyOnceOptions } from '../../src/adapt/exactly-once.ts'
import { type StateStore, ToolError } from '../../src/index.ts'
import { memoryStateStore } from '../../src/stores/memory.ts'
import { settled } from '../recovery/manual-model.ts'

interface Receipt {
  readonly receipt: string
}

type Charge = (cents: number, id: string) => Promise<Receipt>
type Options = ExactlyOnceOptions<[cents: number, id: string], Receipt>

/** One shared store; each `process` wraps the tool for itself, as instances of a service do. */
function setup() {
  const clock = manualClock()
  const store = memoryStateStore()
  const charges: string[] = []
  const process = (tool: Charge, options: Partial<Options> = {}): Charge =>
    exactlyOnce(tool, { store, clock, key: (_, id) => id, ...options })
  const charge: Charge = async (cents, id) => {
    charges.push(id)
    return { receipt: `${id}: ${cents}` }
  }
  return { clock, store, charges, charge, process }
}

/** A process that dies while its tool runs: it gives no sign of life, and nothing that it writes arrives. */
function dying(store: StateStore): { readonly store: StateStore; readonly clock: ManualClock; kill(): void } {
  let dead = false
  const set: StateStore['set'] = (...args) => (dead ? new Promise(() => {}) : store.set(...args))
  return { store: { ...store, set }, clock: manualClock(), kill: () => void (dead = true) }
}

describe('exactlyOnce', () => {
  it('calls the tool once for a key, and answers from the store afterwards, in any process', async () => {
    const { charges, charge, process } = setup()
    expect(await process(charge)(1200, 'a')).toEqual({ receipt: 'a: 1200' })
    expect(await process(charge)(1200, 'a')).toEqual({ receipt: 'a: 1200' })
    expect(await process(charge)(1200, 'b')).toEqual({ receipt: 'b: 1200' })
    expect(charges).toEqual(['a', 'b'])
  })

  it('lets two processes that call at once make one call, and gives both its result', async () => {
    const { charges, charge, process } = setup()
    const started = deferred()
    const slow: Charge = async (...args) => {
      await started.promise
      return charge(...args)
    }
    const calls = [process(slow), process(slow), process(slow)].map((tool) => tool(5, 'a'))
    await settled()
    started.resolve()
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 3 }, () => ({ receipt: 'a: 5' })))
    expect(charges).toEqual(['a'])
  })

  it('waits for a call that takes longer than a lease, as long as its process lives', async () => {
    const { clock, charges, charge, process } = setup()
    const started = deferred()
    const first = process(async (...args) => {
      await started.promise
      return charge(...args)
    })(5, 'a')
    await settled()
    const second = process(charge, { reconcile: () => ({ happened: false }) })(5, 'a')
    for (let step = 0; step < 12; step++) {
      clock.advance(10_000)
      await settled()
    }
    expect(charges).toEqual([])
    started.resolve()
    expect(await Promise.all([first, second])).toEqual([{ receipt: 'a: 5' }, { receipt: 'a: 5' }])
    expect(charges).toEqual(['a'])
    expect(clock.pending).toBe(0)
  })
})

describe('a process that dies between the start and the end of a call', () => {
  /** `when`: whether its effect was made before it died. */
  async function afterCrash(when: 'before' | 'after', options: Partial<Options>) {
    const { clock, store, charges, charge, process } = setup()
    const doomed = dying(store)
    const dead = process(
      async (...args) => {
        if (when === 'after') await charge(...args)
        doomed.kill()
        return new Promise(() => {})
      },
      { store: doomed.store, clock: doomed.clock },
    )
    void dead(5, 'a')
    await settled()
    const answer = process(charge, options)(5, 'a')
    answer.catch(() => {})
    await settled()
    clock.advance(30_000)
    return { answer, charges, again: () => process(charge, options)(5, 'a') }
  }

  it.each(['before', 'after'] as const)(
    '%s its effect leaves an unknown outcome, which is said each time',
    async (when) => {
      const { answer, charges, again } = await afterCrash(when, {})
      const unknown = {
        code: 'tool_outcome_unknown',
        message: expect.stringContaining('the call "a" was begun before'),
      }
      await expect(answer).rejects.toMatchObject(unknown)
      await expect(again()).rejects.toMatchObject(unknown)
      expect(charges).toEqual(when === 'after' ? ['a'] : [])
    },
  )

  it('leaves a result that reconcile knows', async () => {
    const { answer, charges, again } = await afterCrash('after', {
      reconcile: (cents, id) => ({ happened: true, result: { receipt: `found ${id}: ${cents}` } }),
    })
    expect(await answer).toEqual({ receipt: 'found a: 5' })
    expect(await again()).toEqual({ receipt: 'found a: 5' })
    expect(charges).toEqual(['a'])
  })

  it('leaves a call that is made once reconcile says that it did not happen', async () => {
    const { answer, charges } = await afterCrash('before', { reconcile: async () => ({ happened: false }) })
    expect(await answer).toEqual({ receipt: 'a: 5' })
    expect(charges).toEqual(['a'])
  })

  it.each([undefined, {}, { happened: 'no' }, { happened: 0 }])(
    'is not called again where reconcile gives %j',
    async (found) => {
      const reconcile: Options['reconcile'] = () => JSON.parse(JSON.stringify(found ?? null))
      const { answer, charges } = await afterCrash('before', { reconcile })
      await expect(answer).rejects.toMatchObject({ code: 'tool_outcome_unknown' })
      expect(charges).toEqual([])
    },
  )

  it('is called again by one process only', async () => {
    const { answer, again, charges } = await afterCrash('before', { reconcile: () => ({ happened: false }) })
    const all = [answer, again(), again(), again()]
    expect(await Promise.all(all)).toEqual(all.map(() => ({ receipt: 'a: 5' })))
    expect(charges).toEqual(['a'])
  })
})

describe('a tool that throws', () => {
  it('has an unknown outcome: its error is thrown on, and the call is not made again', async () => {
    const { charges, charge, process } = setup()
    const failing: Charge = async (...args) => {
      await charge(...args)
      throw new Error('socket hang up')
    }
    await expect(process(failing)(5, 'a')).rejects.toThrow('socket hang up')
    await expect(process(charge)(5, 'a')).rejects.toMatchObject({ code: 'tool_outcome_unknown' })
    expect(charges).toEqual(['a'])
  })

  it('a ToolError has not happened, and may be called again', async () => {
    const { charges, charge, process } = setup()
    const declined: Charge = () => Promise.reject(new ToolError('the card was declined'))
    await expect(process(declined)(5, 'a')).rejects.toThrow('the card was declined')
    expect(await process(charge)(5, 'a')).toEqual({ receipt: 'a: 5' })
    expect(charges).toEqual(['a'])
  })

  it('a ToolError of unknown outcome is unknown', async () => {
    const { charge, process } = setup()
    const unsure: Charge = () => Promise.reject(new ToolError('no answer', { outcome: 'unknown' }))
    await expect(process(unsure)(5, 'a')).rejects.toThrow('no answer')
    await expect(process(charge)(5, 'a')).rejects.toMatchObject({ code: 'tool_outcome_unknown' })
  })
})

describe('a store that fails', () => {
  const away = (): Promise<never> => Promise.reject(new Error('the store is away'))

  it('before the call keeps the tool from starting', async () => {
    const { store, charges, charge, process } = setup()
    await expect(process(charge, { store: { ...store, set: away } })(5, 'a')).rejects.toThrow('the store is away')
    expect(charges).toEqual([])
  })

  it('after the call costs its caller nothing, and leaves an unknown outcome', async () => {
    const { clock, store, charges, charge, process } = setup()
    let writes = 0
    const set: StateStore['set'] = (...args) => (writes++ === 0 ? store.set(...args) : away())
    expect(await process(charge, { store: { ...store, set } })(5, 'a')).toEqual({ receipt: 'a: 5' })
    clock.advance(30_000)
    await expect(process(charge)(5, 'a')).rejects.toMatchObject({ code: 'tool_outcome_unknown' })
    expect(charges).toEqual(['a'])
  })
})

describe('what is wrong', () => {
  it.each([
    [{ kee: () => 'a' }, 'unknown option "kee"; did you mean "key"?'],
    [{ store: {} }, 'store must be an object with get(), set(), watch()'],
    [{ leaseMs: 0 }, 'leaseMs must be'],
  ])('is refused: %j', (change, message) => {
    const options = { store: memoryStateStore(), key: () => 'a', ...change }
    expect(() => Reflect.apply(exactlyOnce, undefined, [async () => 1, options])).toThrow(message)
  })

  it('is a key that is empty, and a state key that holds something else', async () => {
    const { store, charge, process } = setup()
    await expect(process(charge)(5, '')).rejects.toMatchObject({ code: 'invalid_input', path: 'key' })
    await store.set('call:a', 'a plan', 0)
    await expect(process(charge)(5, 'a')).rejects.toMatchObject({ code: 'invalid_input' })
  })
})
