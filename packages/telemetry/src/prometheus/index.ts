export type { MeterPort } from '../meter.ts'
export { createPrometheus, type Prometheus, type PrometheusOptions } from './prometheus.ts'
