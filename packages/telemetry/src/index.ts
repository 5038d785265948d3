export { type MetricDescription, metricList, type MetricType } from './metric-list.ts'
