export { collect } from './async/collect.ts'
export { type Deferred, deferred } from './async/deferred.ts'
export { macrotask } from './async/macrotask.ts'
export { type ManualClock, manualClock } from './async/manual-clock.ts'
