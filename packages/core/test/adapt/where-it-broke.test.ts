import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import type { RunStore } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { only } from '../support/scripted.ts'
import { secondTurnBreaks, setUp, shown } from './set-up.ts'

describe('a hand-over from the history', () => {
  it('is refused if its beginning cannot be stored, since another process may take the run over', async () => {
    const store = memoryRunStore({ clock: manualClock() })
    // The turn is stored, the start of its call is refused: neither the agent nor the legacy loop may run that call.
    const refusing: RunStore = {
      ...store,
      append: (runId, fence, events, close) =>
        JSON.stringify(events).includes('"tool.started"')
          ? Promise.reject(new Error('away'))
          : store.append(runId, fence, events, close),
    }
    const { loop, events, handed, charges } = await setUp({ agent: { journal: runJournal(refusing) } })
    await expect(loop('Charge me')).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(handed).toEqual([])
    expect(charges).toEqual([])
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(shown(events)).toBe('I charge you. ')
  })

  it('withdraws a turn that a defect ended, of which history has nothing', async () => {
    const { loop, events, handed } = await setUp({
      faults: secondTurnBreaks,
      agent: {
        recovery: { streamRetries: 1, bufferedRetries: 0, extraRequests: 1 },
        runtime: {
          random: () => {
            throw new Error('a defect')
          },
        },
      },
    })
    await loop('Charge me')
    expect(handed).toMatchObject([{ error: { code: 'internal' } }])
    expect(only(events, 'text.delta').some(({ turn }) => turn === 2)).toBe(true)
    expect(shown(events)).toBe('I charge you. The old way.')
  })
})
