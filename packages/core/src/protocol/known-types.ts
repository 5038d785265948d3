/** The content blocks of SDK 1.12 that we know by name. A type test fails when a newer SDK adds one. */
export const contentBlockTypes = [
  'advisor_tool_result',
  'bash_code_execution_tool_result',
  'code_execution_tool_result',
  'compaction',
  'container_upload',
  'fallback',
  'mcp_tool_listing',
  'mcp_tool_result',
  'mcp_tool_use',
  'redacted_thinking',
  'server_tool_use',
  'text',
  'text_editor_code_execution_tool_result',
  'thinking',
  'tool_search_tool_result',
  'tool_use',
  'web_fetch_tool_result',
  'web_search_tool_result',
] as const

export type KnownContentBlockType = (typeof contentBlockTypes)[number]

/** The content block deltas of SDK 1.12, tested likewise. */
export const deltaTypes = [
  'citations_delta',
  'compaction_delta',
  'input_json_delta',
  'signature_delta',
  'text_delta',
  'thinking_delta',
] as const

export type KnownDeltaType = (typeof deltaTypes)[number]

/** The stop reasons of SDK 1.12, tested likewise. */
export const stopReasons = [
  'compaction',
  'end_turn',
  'max_tokens',
  'model_context_window_exceeded',
  'pause_turn',
  'refusal',
  'stop_sequence',
  'tool_use',
] as const

export type KnownStopReason = (typeof stopReasons)[number]
