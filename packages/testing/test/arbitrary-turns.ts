import * as fc from 'fast-check'
import type { ContentBlock, Turn } from '../src/index.ts'

/** Any text, white space, astral characters and lone combining marks included, but no half surrogate pairs. */
const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.lorem({ maxCount: 8 }),
)

const anyInput: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(
    fc.string({ minLength: 1, maxLength: 6 }).filter((key) => key !== '__proto__'),
    fc.jsonValue({ maxDepth: 2 }),
    { maxKeys: 4 },
  )
  // Through JSON once: what cannot be said in JSON (-0) is no difference between a stream and a body.
  .map((input) => JSON.parse(JSON.stringify(input)))

const anyCitation = fc.record({
  type: fc.constant('char_location'),
  cited_text: anyText,
  document_index: fc.nat(9),
  document_title: fc.constant(null),
  file_id: fc.constant(null),
  start_char_index: fc.nat(99),
  end_char_index: fc.nat(99),
})

/** Any block that the API knows, and one that it does not. */
const anyBlock: fc.Arbitrary<ContentBlock> = fc.oneof(
  fc.record({ type: fc.constant('text'), text: anyText }),
  fc.record({ type: fc.constant('text'), text: anyText, citations: fc.array(anyCitation, { maxLength: 3 }) }),
  fc.record({ type: fc.constant('text'), text: fc.array(anyText, { maxLength: 4 }) }),
  fc.record({ type: fc.constant('thinking'), thinking: anyText }),
  fc.record({ type: fc.constant('redacted_thinking') }),
  fc.record({ type: fc.constant('tool_use'), name: fc.constant('look_up'), input: anyInput }),
  fc.record({ type: fc.constant('tool_use'), id: fc.constant('toolu_given'), name: fc.constant('look_up') }),
  fc.record({ type: fc.constant('server_tool_use'), name: fc.constant('web_search'), input: anyInput }),
  fc.record({
    type: fc.constant('web_search_tool_result'),
    tool_use_id: fc.constant('srvtoolu_1'),
    content: fc.array(anyInput, { maxLength: 2 }),
  }),
  fc.record({
    type: fc.constant('mcp_tool_use'),
    name: fc.constant('echo'),
    server_name: fc.constant('echo'),
    input: anyInput,
  }),
  fc.record({
    type: fc.constant('mcp_tool_result'),
    tool_use_id: fc.constant('mcptoolu_1'),
    is_error: fc.boolean(),
    content: fc.constant([{ type: 'text', text: 'echo' }]),
  }),
  fc.record({ type: fc.constant('compaction'), content: fc.oneof(anyText, fc.constant(null)) }),
  fc.record({ type: fc.constant('compaction'), content: anyText, encrypted_content: anyText }),
  fc.record({ type: fc.constant('container_upload'), file_id: fc.constant('file_1') }),
  fc.record({ type: fc.constant('hologram'), beam: anyInput, text_of_it: anyText }),
)

export const anyTurn: fc.Arbitrary<Turn> = fc.record(
  {
    content: fc.array(anyBlock, { maxLength: 6 }),
    stopReason: fc.constantFrom('end_turn', 'max_tokens', 'tool_use', 'pause_turn', 'refusal', 'a_reason_of_tomorrow'),
    stopSequence: fc.constantFrom('STOP'),
    stopDetails: fc.constant({ type: 'refusal', category: null, explanation: null }),
    usage: fc.record({ input_tokens: fc.nat(), cache_read_input_tokens: fc.nat(), output_tokens: fc.nat() }),
    container: fc.constant({ id: 'container_1', expires_at: '2030-01-01T00:00:00Z', skills: null }),
    chunking: fc.oneof(
      fc.constantFrom('words' as const, 'whole' as const),
      fc.record({ sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }) }),
      fc.record({ seed: fc.nat() }),
    ),
  },
  { requiredKeys: ['content'] },
)
