export { encodeStream, type EncodeStreamOptions } from './encode-stream.ts'
export { type DecoderOptions, type EventDecoder, ndjsonDecoder, sseDecoder } from './event-decoder.ts'
export { eventFields, type EventFields, type FieldKind, type FieldKinds, isAgentEvent } from './event-fields.ts'
export {
  type CancelAnswer,
  type CancelBody,
  contentParameter,
  mediaTypes,
  type ProblemBody,
  type ProblemCode,
  problemStatus,
  type RunFormat,
  runIdHeader,
  type RunResultBody,
  type RunSnapshotBody,
  type StartRunBody,
} from './http.ts'
export { ndjsonEncoder } from './ndjson-encoder.ts'
export { type CursorSource, isProblem, parseCancel, parseCursor, parseStartRun } from './parse-http.ts'
export { sseEncoder, type SseOptions } from './sse-encoder.ts'
export type { StreamEncoder } from './stream-encoder.ts'
export type { CompactOptions, DecodedEvent, UnknownEvent } from './wire-event.ts'
