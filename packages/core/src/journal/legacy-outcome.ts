import { MillraceError } from '../kit/errors.ts'

/** The error of a run whose process died while a legacy loop had it: running it again could repeat calls. */
export function legacyOutcomeUnknown(): MillraceError {
  return new MillraceError(
    'legacy_outcome_unknown',
    'the service failed while the legacy loop had the run: it is unknown what the loop did',
  )
}
