export { type Baseline, baseline, type TokenFigures } from './baseline/baseline.ts'
export { formatBaseline } from './baseline/format-baseline.ts'
export type { Distribution } from './baseline/statistics.ts'
export type {
  BrokenReason,
  Cassette,
  Exchange,
  RecordedAnswer,
  RecordedMessage,
  RecordedRequest,
  RequestBody,
} from './cassette/cassette.ts'
export { formatCassette } from './cassette/format-cassette.ts'
export { parseCassette, readCassette } from './cassette/read-cassette.ts'
export {
  type CassetteReport,
  compareCassette,
  type CompareOptions,
  type Difference,
  type ReplayPlace,
} from './compare/compare-cassette.ts'
export type { RunDifference } from './compare/compare-run.ts'
export type { ValueDifference } from './compare/differences.ts'
export { type FormatOptions, formatReport } from './compare/format-report.ts'
export { type Normalisation, normalisations } from './compare/normalise.ts'
export {
  compareRequest,
  type CompareRequestOptions,
  type MakeAgent,
  type RequestReport,
} from './request/compare-request.ts'
export { formatRequestReports } from './request/format-request-report.ts'
export type { RequestDifference } from './request/request-differences.ts'
export { isParityError, ParityError, type ParityErrorCode } from './kit/errors.ts'
export type { JsonObject } from './kit/json.ts'
export type { DecodedBody, HeaderLookup, OpenExchange, RequestHead } from './record/open-exchange.ts'
export {
  type CassetteSink,
  createRecorder,
  type Recorder,
  type RecorderOptions,
  type RecorderStats,
} from './record/recorder.ts'
export { type Fetch, recordingFetch, type RecordingFetchOptions } from './record/recording-fetch.ts'
export type { ReplayAnswer, ReplayModel } from './replay/replay-model.ts'
export { type VariantName, variantNames } from './replay/variant.ts'
