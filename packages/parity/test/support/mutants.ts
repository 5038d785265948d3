import type { Fetch } from '../../src/index.ts'

type Event = Readonly<Record<string, unknown>>

/** A mistake of an accumulator, made in the stream that it reads. */
export interface Mutant {
  readonly name: string
  readonly mutate: (events: readonly Event[]) => readonly Event[]
  /** Where the comparison has to point: turn and path. */
  readonly points: readonly (readonly [turn: number, path: string])[]
}

/** Lets every stream through the mutant; answers in one body stay as they are. */
export function throughMutant({ mutate }: Pick<Mutant, 'mutate'>): (fetch: Fetch) => Fetch {
  return (fetch) => async (input, init) => {
    const response = await fetch(input, init)
    if (response.headers.get('content-type') !== 'text/event-stream') return response
    const text = await response.text()
    const events = text
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line): Event => JSON.parse(line.slice(6)))
    const body = mutate(events).map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`)
    return new Response(body.join(''), { headers: { 'content-type': 'text/event-stream' } })
  }
}

function isRecord(value: unknown): value is Event {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function deltaOf(event: Event | undefined): Event {
  return isRecord(event?.['delta']) ? event['delta'] : {}
}

function isDelta(type: string): (event: Event) => boolean {
  return (event) => event['type'] === 'content_block_delta' && deltaOf(event)['type'] === type
}

/** Changes one field of every delta of a type. */
function mapDelta(type: string, change: (delta: Event) => Event): Mutant['mutate'] {
  return (events) => events.map((event) => (isDelta(type)(event) ? { ...event, delta: change(deltaOf(event)) } : event))
}

/** Does something to the n-th delta of a type: gives what stands in its place. */
function atDelta(
  type: string,
  n: number,
  change: (event: Event, next: Event | undefined) => Event[],
): Mutant['mutate'] {
  return (events) => {
    const places = events.flatMap((event, index) => (isDelta(type)(event) ? [index] : []))
    const at = places[n]
    return events.flatMap((event, index) => (index === at ? change(event, events[places[n + 1] ?? -1]) : [event]))
  }
}

/** The n-th delta of a type and the one after it change places. */
function swapDeltas(type: string, n: number): Mutant['mutate'] {
  return (events) => {
    const places = events.flatMap((event, index) => (isDelta(type)(event) ? [index] : []))
    const [one = -1, other = -1] = places.slice(n)
    return events.map(
      (event, index) => (index === one ? events[other] : index === other ? events[one] : event) ?? event,
    )
  }
}

function onType(type: string, change: (event: Event) => Event[]): Mutant['mutate'] {
  return (events) => events.flatMap((event) => (event['type'] === type ? change(event) : [event]))
}

function withoutBlock(kind: string): Mutant['mutate'] {
  return (events) => {
    const start = events.find((event) => isRecord(event['content_block']) && event['content_block']['type'] === kind)
    const gone = start?.['index']
    if (typeof gone !== 'number') return events
    return events.flatMap((event) => {
      const { index } = event
      if (typeof index !== 'number') return [event]
      if (index === gone) return []
      return [index > gone ? { ...event, index: index - 1 } : event]
    })
  }
}

/** JSON that ends early is closed, as a lenient parser does. */
function closeJson(json: string): string {
  const cut = json.slice(0, json.lastIndexOf(',') === -1 ? -1 : json.lastIndexOf(','))
  return `${cut}}`
}

/** What an accumulator may get wrong, in the conversation of `mutants.test.ts`. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a text delta is dropped',
    mutate: atDelta('text_delta', 1, () => []),
    points: [[1, 'answer.content[1].text']],
  },
  {
    name: 'a text delta is doubled',
    mutate: atDelta('text_delta', 1, (event) => [event, event]),
    points: [[1, 'answer.content[1].text']],
  },
  { name: 'two text deltas are swapped', mutate: swapDeltas('text_delta', 0), points: [[1, 'answer.content[1].text']] },
  {
    name: 'a thinking delta is dropped',
    mutate: atDelta('thinking_delta', 0, () => []),
    points: [[1, 'answer.content[0].thinking']],
  },
  {
    name: 'the signature is lost',
    mutate: atDelta('signature_delta', 0, () => []),
    points: [[1, 'answer.content[0].signature']],
  },
  {
    name: 'the signature is appended twice',
    mutate: mapDelta('signature_delta', (delta) => ({ ...delta, signature: `${String(delta['signature'])}x` })),
    points: [[1, 'answer.content[0].signature']],
  },
  {
    name: 'tool JSON is parsed leniently',
    mutate(events) {
      const json = events.filter(isDelta('input_json_delta')).map((event) => deltaOf(event)['partial_json'])
      const first = events.find(isDelta('input_json_delta'))
      const index = first?.['index']
      const mine = events.filter((event) => isDelta('input_json_delta')(event) && event['index'] === index)
      const whole = json.slice(0, mine.length).join('')
      return events.flatMap((event) => {
        if (!mine.includes(event)) return [event]
        return event === mine.at(-1)
          ? [{ ...event, delta: { type: 'input_json_delta', partial_json: closeJson(whole) } }]
          : []
      })
    },
    points: [[1, 'answer.content[2].input.cents']],
  },
  {
    name: 'an input delta is doubled',
    mutate: atDelta('input_json_delta', 1, (event) => [event, event]),
    points: [[1, 'answer']],
  },
  {
    name: 'all input is lost',
    mutate: (events) => events.filter((event) => !isDelta('input_json_delta')(event)),
    points: [
      [1, 'answer.content[2].input.order'],
      [1, 'answer.content[2].input.cents'],
    ],
  },
  {
    name: 'citations are lost',
    mutate: (events) => events.filter((event) => !isDelta('citations_delta')(event)),
    points: [[2, 'answer.content[0].citations']],
  },
  {
    name: 'a citation replaces the one before',
    mutate: atDelta('citations_delta', 0, () => []),
    points: [
      [2, 'answer.content[0].citations[0]'],
      [2, 'answer.content[0].citations.length'],
    ],
  },
  {
    name: 'an unknown block is dropped',
    mutate: withoutBlock('hologram'),
    points: [
      [2, 'answer.content[1]'],
      [2, 'answer.content.length'],
    ],
  },
  {
    name: 'a field of an unknown block is dropped',
    mutate: onType('content_block_start', (event) => {
      const block = isRecord(event['content_block']) ? event['content_block'] : {}
      return [block['type'] === 'hologram' ? { ...event, content_block: { type: 'hologram' } } : event]
    }),
    points: [[2, 'answer.content[1].beam']],
  },
  {
    name: 'the result of a server tool is dropped',
    mutate: withoutBlock('web_search_tool_result'),
    points: [
      [2, 'answer.content[3]'],
      [2, 'answer.content.length'],
    ],
  },
  {
    name: 'usage of the end is added to that of the start',
    mutate(events) {
      const start = events.find(({ type }) => type === 'message_start')?.['message']
      const before = isRecord(start) && isRecord(start['usage']) ? Number(start['usage']['output_tokens']) : 0
      return onType('message_delta', (event) => {
        const usage = isRecord(event['usage']) ? event['usage'] : {}
        return [{ ...event, usage: { ...usage, output_tokens: Number(usage['output_tokens']) + before } }]
      })(events)
    },
    points: [
      [1, 'answer.usage.output_tokens'],
      [2, 'answer.usage.output_tokens'],
    ],
  },
  {
    name: 'usage of the end is lost',
    mutate: onType('message_delta', ({ usage: _usage, ...event }) => [event]),
    points: [
      [1, 'answer.usage.output_tokens'],
      [2, 'answer.usage.output_tokens'],
    ],
  },
  {
    name: 'the stop reason is lost',
    mutate: onType('message_delta', (event) => [{ ...event, delta: { ...deltaOf(event), stop_reason: null } }]),
    points: [[1, 'answer']],
  },
  {
    name: 'the stop reason is another one',
    mutate: onType('message_delta', (event) => [{ ...event, delta: { ...deltaOf(event), stop_reason: 'end_turn' } }]),
    points: [[1, 'answer.stop_reason']],
  },
  {
    name: 'the stop details are lost',
    mutate: onType('message_delta', (event) => [
      { ...event, delta: { ...deltaOf(event), stop_sequence: null, stop_details: null } },
    ]),
    points: [[2, 'answer.stop_sequence']],
  },
  {
    name: 'a block is not stopped',
    mutate(events) {
      const last = events.findLast(({ type }) => type === 'content_block_stop')
      return events.filter((event) => event !== last && event['type'] !== 'message_stop')
    },
    points: [[1, 'answer']],
  },
  {
    name: 'two blocks change places',
    mutate: (events) =>
      events.map((event) => {
        const { index } = event
        return index === 0 ? { ...event, index: 1 } : index === 1 ? { ...event, index: 0 } : event
      }),
    points: [[1, 'answer']],
  },
]
