export type { Journal } from '../run/journal.ts'
export type { NewRun, RunJournal, TakenOver, TakeOverResult } from '../loop/run-journal.ts'
export { runJournal } from './run-journal.ts'
