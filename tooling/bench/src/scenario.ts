/**
 * What the upstream answers. It is written into the user's message, which every peer passes on as it is:
 * `deltas=20 every=5 turns=10` is a loop of ten turns that call a tool and one that answers, each of 20 deltas, one of them
 * every 5 ms.
 */
export interface Scenario {
  /** Deltas of text in each turn. */
  readonly deltas: number
  /** Characters of each. */
  readonly chars: number
  /** Milliseconds between two of them; 0 sends about twenty in one packet, as fast as the client reads. */
  readonly every: number
  /** Turns that call a tool before the one that answers. */
  readonly turns: number
  /** Whether the last answer never ends. */
  readonly hangs: boolean
}

const defaults: Scenario = { deltas: 1, chars: 20, every: 0, turns: 0, hangs: false }

export function scenarioText(scenario: Partial<Scenario>): string {
  const { deltas, chars, every, turns, hangs } = { ...defaults, ...scenario }
  return `deltas=${deltas} chars=${chars} every=${every} turns=${turns} hangs=${hangs ? 1 : 0}`
}

export function readScenario(text: string): Scenario {
  const read = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1] ?? 0)
  return {
    deltas: read('deltas'),
    chars: read('chars'),
    every: read('every'),
    turns: read('turns'),
    hangs: read('hangs') === 1,
  }
}

/** The text of a delta: each is another one, so that nothing can be cached or lost unseen. */
export function deltaText(turn: number, index: number, chars: number): string {
  return `${turn}.${index} `.padEnd(chars, 'words ').slice(0, chars)
}

/** What a client of the whole loop has read in the end, of all turns. */
export function expectedText({ deltas, chars, turns }: Scenario): string {
  return Array.from({ length: turns + 1 }, (_, turn) =>
    Array.from({ length: deltas }, (_, index) => deltaText(turn, index, chars)).join(''),
  ).join('')
}

export const toolName = 'look_up'

/** What the tool gives for the input `{ id }`. The upstream refuses any other result. */
export function toolResult(id: string): string {
  return `order ${id}: shipped`
}
