import type { EventBody } from '@millrace/core'
import { isBlockEvent } from '@millrace/core/reduce'
import { describe, expect, it } from 'vitest'
import type { Screen } from '../src/terminal/screen.ts'
import { createTurnText } from '../src/terminal/turn-text.ts'
import { plainOutput } from './plain-output.ts'

const said = (kind: 'text' | 'thinking', block: number, text: string): EventBody => ({
  type: `${kind}.delta`,
  turn: 1,
  attempt: 1,
  block,
  text,
})

const retracted = (fromBlock: number, fromOffset: number): EventBody => ({
  type: 'turn.retracted',
  turn: 1,
  attempt: 2,
  fromBlock,
  fromOffset,
  reason: 'connection_lost',
})

/** Returns what is written and retracted for these events, on a screen that is live or not. */
function shown(live: boolean, ...events: readonly EventBody[]): { written: string; retracted: readonly string[] } {
  const { screen, text } = plainOutput()
  const taken: string[] = []
  const spy: Screen = { ...screen, live, retract: (lost) => void taken.push(lost) }
  const turn = createTurnText(spy)
  for (const event of events) if (isBlockEvent(event)) turn.see(event)
  return { written: text(), retracted: taken }
}

describe('the text of a turn', () => {
  it('joins text blocks, and sets thinking off on a line of its own', () => {
    const events = [said('thinking', 0, 'Hm'), said('thinking', 0, '.'), said('text', 1, 'A'), said('text', 2, 'B')]
    expect(shown(false, ...events).written).toBe('[thinking] Hm.\nAB')
    expect(shown(true, ...events).written).toBe('Hm.\nAB')
  })

  it('retracts the end of what it wrote', () => {
    const events = [said('thinking', 0, 'Hm'), said('text', 1, 'One two'), said('text', 2, ' three')]
    expect(shown(true, ...events, retracted(1, 4)).retracted).toEqual(['two three'])
    expect(shown(true, ...events, retracted(1, 0)).retracted).toEqual(['\nOne two three'])
    expect(shown(true, ...events, retracted(0, 0)).retracted).toEqual(['Hm\nOne two three'])
    expect(shown(true, ...events, retracted(3, 0)).retracted).toEqual([])
  })

  it('writes what follows a retraction after the text that stays', () => {
    const events = [said('thinking', 0, 'Hm'), said('text', 1, 'One two'), retracted(1, 4), said('text', 1, 'ten')]
    expect(shown(true, ...events).written).toBe('Hm\nOne twoten')
    const anew = [said('thinking', 0, 'Hm'), said('text', 1, 'One'), retracted(1, 0), said('text', 1, 'Ten')]
    expect(shown(true, ...anew)).toEqual({ written: 'Hm\nOne\nTen', retracted: ['\nOne'] })
  })
})
