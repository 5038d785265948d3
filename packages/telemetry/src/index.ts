export type { LabelLimits } from './labeller.ts'
export type { Logger } from './logs.ts'
export type { InstrumentOptions, Labels, MeterPort } from './meter.ts'
export { type MetricDescription, metricList, type MetricType } from './metric-list.ts'
export type { TokenCounts } from './observation.ts'
export type { TelemetryOptions } from './options.ts'
export { type LegacyToolCall, telemetry, type Telemetry } from './telemetry.ts'
export { mergeSnapshots, subtractSnapshots } from './window/add-snapshots.ts'
export { countAbove, type HistogramCounts, histogramQuantile, latencyBoundaries } from './window/histogram.ts'
export type {
  ErrorCount,
  FallbackCount,
  LatencySnapshot,
  Quantiles,
  SnapshotGroup,
  TelemetrySnapshot,
  ToolSnapshot,
} from './window/snapshot.ts'
export type { TelemetryWindow, WindowOptions } from './window/window.ts'
