import type { RunStore } from '../run-store.ts'
import { appendCases } from './run-store-events.ts'
import { leaseCases } from './run-store-leases.ts'
import { listCases } from './run-store-lists.ts'
import { readCases } from './run-store-reading.ts'
import { type ConformanceCase, type ConformanceOptions, conformanceSuite } from './suite.ts'

/**
 * What every {@link RunStore} must do, as tests for any runner.
 *
 * @throws MillraceError `invalid_option` where `gaps` names a case that does not exist
 */
export function runStoreConformance(options: ConformanceOptions<RunStore>): readonly ConformanceCase[] {
  return conformanceSuite([...leaseCases, ...appendCases, ...readCases, ...listCases], options)
}
