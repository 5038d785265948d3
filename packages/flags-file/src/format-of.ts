import { MillraceError } from '@millrace/core'
import type { FlagTextFormat } from '@millrace/flags/text'

/**
 * Returns the format that the ending of a path names.
 *
 * @throws MillraceError `invalid_option` if it names none
 */
export function formatOf(path: string): FlagTextFormat {
  if (/\.json$/i.test(path)) return 'json'
  if (/\.ya?ml$/i.test(path)) return 'yaml'
  throw new MillraceError('invalid_option', 'the file must end in .json, .yaml or .yml, or its format must be given', {
    path: 'format',
  })
}
