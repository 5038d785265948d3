export { type StreamInPlaceOptions, streamInPlace } from './stream-in-place.ts'
export { observeTool, reportProgress } from './tools.ts'
