import { type ContentBlock, redactedData, sign, type Turn } from '@millrace/testing'
import * as fc from 'fast-check'

/** A conversation that the model may have: its turns, in order. Ids are fixed, so that two runs can be compared. */
export type Conversation = readonly Turn[]

const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.lorem({ maxCount: 8 }),
  fc.constantFrom('', ' ', '\n\n'),
)

const anyInput: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(
    fc.string({ minLength: 1, maxLength: 6 }).filter((key) => key !== '__proto__'),
    fc.jsonValue({ maxDepth: 2 }),
    { maxKeys: 3 },
  )
  // Through JSON once: what it cannot say (-0) is no difference between a stream and a body.
  .map((input) => JSON.parse(JSON.stringify(input)))

const anyCitation = fc.record({
  type: fc.constantFrom('char_location', 'web_search_result_location', 'a_location_of_tomorrow'),
  cited_text: anyText,
  document_index: fc.nat(9),
  document_title: fc.constantFrom(null, 'A title'),
})

const one = (block: ContentBlock): ContentBlock[] => [block]

const textBlock = fc.record({
  type: fc.constant('text'),
  text: anyText,
  citations: fc.option(fc.array(anyCitation, { maxLength: 3 })),
})

/** Server tools with the type of their results. */
const serverTools: readonly (readonly [name: string, result: string])[] = [
  ['web_search', 'web_search_tool_result'],
  ['web_fetch', 'web_fetch_tool_result'],
  ['code_execution', 'code_execution_tool_result'],
  ['bash_code_execution', 'bash_code_execution_tool_result'],
  ['text_editor_code_execution', 'text_editor_code_execution_tool_result'],
  ['tool_search_tool_bm25', 'tool_search_tool_result'],
  ['advisor', 'advisor_tool_result'],
]

const serverPair = fc
  .tuple(fc.constantFrom(...serverTools), fc.uuid(), anyInput, fc.array(anyInput, { maxLength: 2 }))
  .map(([[name, result], uuid, input, content]): ContentBlock[] => {
    const id = `srvtoolu_${uuid}`
    return [
      { type: 'server_tool_use', id, name, input, caller: { type: 'direct' } },
      { type: result, tool_use_id: id, content },
    ]
  })

const mcpPair = fc.tuple(fc.uuid(), anyInput, fc.boolean()).map(([uuid, input, isError]): ContentBlock[] => {
  const id = `mcptoolu_${uuid}`
  return [
    { type: 'mcp_tool_use', id, name: 'echo', server_name: 'echo', input },
    { type: 'mcp_tool_result', tool_use_id: id, is_error: isError, content: [{ type: 'text', text: 'echo' }] },
  ]
})

/** Everything that an answer may hold beside calls of client tools, in units that belong together. */
const unit: fc.Arbitrary<ContentBlock[]> = fc.oneof(
  { weight: 4, arbitrary: textBlock.map(one) },
  { weight: 2, arbitrary: anyText.map((text) => one({ type: 'thinking', thinking: text, signature: sign(text) })) },
  { weight: 1, arbitrary: fc.uuid().map((id) => one({ type: 'redacted_thinking', data: redactedData(id) })) },
  { weight: 3, arbitrary: serverPair },
  { weight: 2, arbitrary: mcpPair },
  {
    weight: 1,
    arbitrary: fc.constant(one({ type: 'mcp_tool_listing', server_name: 'echo', tools: [{ name: 'echo' }] })),
  },
  { weight: 1, arbitrary: fc.constant(one({ type: 'container_upload', file_id: 'file_1' })) },
  { weight: 1, arbitrary: fc.constant(one({ type: 'fallback', from: 'claude-a', to: 'claude-b' })) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('hologram'), beam: anyInput, text_of_it: anyText }).map(one) },
)

const toolCall: fc.Arbitrary<ContentBlock[]> = fc
  .record({
    uuid: fc.uuid(),
    name: fc.constantFrom('look_up', 'look_up', 'strict', 'broken', 'no_such_tool'),
    input: anyInput,
    fields: fc.constantFrom({}, { toolset_name: 'browser_20260801' }, { caller: { type: 'direct' } }),
  })
  .map(({ uuid, name, input, fields }) => one({ type: 'tool_use', id: `toolu_${uuid}`, name, input, ...fields }))

const compaction = fc
  .record({ content: fc.option(anyText), encrypted_content: anyText }, { requiredKeys: ['content'] })
  .map((fields) => one({ type: 'compaction', ...fields }))

const chunking = fc.oneof(
  fc.constantFrom('words' as const, 'whole' as const),
  fc.record({ sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }) }),
)

const usage = fc.record({
  input_tokens: fc.nat(999),
  cache_read_input_tokens: fc.nat(999),
  // An answer without a block and without a token is a fault, and is asked again.
  output_tokens: fc.integer({ min: 1, max: 999 }),
  server_tool_use: fc.option(fc.record({ web_search_requests: fc.nat(9) })),
  output_tokens_details: fc.option(fc.record({ thinking_tokens: fc.nat(99) })),
  service_tier: fc.constantFrom('standard', 'priority'),
})

const container = fc.option(fc.constant({ id: 'container_1', expires_at: '2030-01-01T00:00:00Z', skills: null }))

function turn(content: fc.Arbitrary<ContentBlock[]>, stopReason: fc.Arbitrary<string>): fc.Arbitrary<Turn> {
  return fc
    .record({ content, stopReason, usage, chunking, container })
    .map(({ container: given, ...rest }) => (given === null ? rest : { ...rest, container: given }))
}

const units = (min = 0): fc.Arbitrary<ContentBlock[]> =>
  fc.array(unit, { minLength: min, maxLength: 4 }).map((groups) => groups.flat())

const toolTurn = turn(
  fc.tuple(units(), fc.array(toolCall, { minLength: 1, maxLength: 3 }), units()).map((parts) => parts.flat(2)),
  fc.constant('tool_use'),
)

const compactionTurn = turn(compaction, fc.constant('compaction'))

/** A pause in a server tool, and the turn that brings its result. */
const pausedTurns: fc.Arbitrary<Turn[]> = fc
  .tuple(fc.uuid(), units(), units(1), anyInput)
  .chain(([uuid, before, after, input]) => {
    const id = `srvtoolu_${uuid}`
    const call = { type: 'server_tool_use', id, name: 'web_search', input }
    const result = { type: 'web_search_tool_result', tool_use_id: id, content: [] }
    return fc.tuple(
      turn(fc.constant([...before, call]), fc.constant('pause_turn')),
      turn(
        fc.constant([result, ...after, { type: 'tool_use', id: `toolu_${uuid}`, name: 'look_up', input: {} }]),
        fc.constant('tool_use'),
      ),
    )
  })

/** A call that code on the server makes, which waits for its result. */
const programmaticTurns: fc.Arbitrary<Turn[]> = fc
  .tuple(fc.uuid(), units(), units(1))
  .chain(([uuid, before, after]) => {
    const id = `srvtoolu_${uuid}`
    const caller = { type: 'code_execution_20260120', tool_id: id }
    return fc.tuple(
      turn(
        fc.constant([
          ...before,
          { type: 'server_tool_use', id, name: 'code_execution', input: { code: 'look_up()' } },
          { type: 'tool_use', id: `toolu_${uuid}`, name: 'look_up', input: { by: 'code' }, caller },
        ]),
        fc.constant('tool_use'),
      ),
      turn(
        fc.constant([
          { type: 'code_execution_tool_result', tool_use_id: id, content: { type: 'code_execution_result' } },
          ...after,
          { type: 'tool_use', id: `toolu_b_${uuid}`, name: 'look_up', input: {} },
        ]),
        fc.constant('tool_use'),
      ),
    )
  })

const lastTurn = turn(
  units(),
  fc.constantFrom(
    'end_turn',
    'end_turn',
    'max_tokens',
    'stop_sequence',
    'refusal',
    'model_context_window_exceeded',
    'a_reason_of_tomorrow',
  ),
)

const cutCallTurn = turn(
  fc.tuple(units(), toolCall).map((parts) => parts.flat()),
  fc.constantFrom('max_tokens', 'refusal', 'end_turn', 'model_context_window_exceeded'),
)

/** Conversations over all block kinds, in which every request is one that the API would accept. */
export const anyConversation: fc.Arbitrary<Conversation> = fc
  .tuple(
    fc.array(
      fc.oneof(
        toolTurn.map((each): Turn[] => [each]),
        compactionTurn.map((each): Turn[] => [each]),
        pausedTurns,
        programmaticTurns,
      ),
      { maxLength: 3 },
    ),
    fc.oneof({ weight: 4, arbitrary: lastTurn }, { weight: 1, arbitrary: cutCallTurn }),
  )
  .map(([turns, last]) => [...turns.flat(), last])

/** The types of all blocks in a conversation. */
export function kindsOf(conversation: Conversation): string[] {
  return conversation.flatMap(({ content }) => content.map(({ type }) => type))
}
