export type { Journal, NewRun, RunJournal, TakenOver, TakeOverResult } from '../ports/journal.ts'
export { runJournal } from './run-journal.ts'
