export type { Journal } from '../run/journal.ts'
export type { NewRun, RunJournal, TakenOver, TakeOverResult } from '../loop/run-journal.ts'
export type { CrashLimits } from './takeovers.ts'
export { runJournal, type RunJournalOptions } from './run-journal.ts'
