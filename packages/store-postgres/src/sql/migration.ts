import { otherFunctions } from './other-functions.ts'
import { runFunctions } from './run-functions.ts'
import { tables } from './tables.ts'

/**
 * Returns the tables and functions of the first version. Each operation is one function, so that it is one statement and
 * one transaction: through pgbouncer in transaction mode too.
 */
export function migrationOf(schema: string): string {
  return [tables, runFunctions, otherFunctions].join('\n').replaceAll('SCHEMA.', `${schema}.`)
}
